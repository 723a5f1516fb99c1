"""Compares fire times with those of an independent implementation.

usage: oracle.py croniter|systemd < CASES

Each line of CASES is EXPRESSION <tab> ZONE <tab> START <tab> FIRE FIRE ..., instants in seconds since 1970, or
"impossible" in place of the fires. Wall times that the zone's clock skips or shows twice are left out on both sides: a
clock-change rule decides about them, which has its own table of cases. Prints each difference and, last, a line
"compared CASES cases, FIRES fires, DIFFERENCES differences".
"""

import heapq
import math
import re
import subprocess
import sys
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

UTC = timezone.utc
# As crontab(5) says; croniter 1.3.5 knows some of them only.
SHORT = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}
OURS, THEIRS = 16, 8  # fires asked for in each case


def end_of(fires, count):
    """The time up to which these fires are all there are."""
    return fires[-1] if fires != "impossible" and len(fires) == count else math.inf


def is_plain(wall, zone):
    """Whether the zone's clock shows this wall time exactly once."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first == second and first.astimezone(zone).replace(tzinfo=None, fold=0) == wall


def wall_of(seconds, zone):
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone).replace(tzinfo=None, fold=0)


def for_croniter(expression):
    """The same in croniter's dialect: expressions whose fires are to be merged.

    croniter 1.3.5 differs from Vixie's cron, or is wrong, in these points:
    - It wants seconds last, and with seconds it does not know Sunday as 7.
    - */2 in a day field it reads as a list, so that the other day field is enough (Vixie: both must agree); 1-31 it
      reads as a star, so that the other one decides (Vixie: either is enough, which is every day). And where either is
      enough it gives up when the day of month alone never comes. So it is asked for each of the two by itself.
    - In a month that lacks a day of the list it jumps as many days as lead to that day, past the first days of the next
      month. Each of the days 29 to 31 is therefore asked for by itself.
    """
    fields = SHORT.get(expression, expression).split()
    second = [fields.pop(0)] if len(fields) == 6 else []
    minute, hour, day, month, weekday = fields
    either = not day.startswith("*") and not weekday.startswith("*")
    if not re.search("[#L]", weekday):
        weekday = list_of(weekday, 4)
    named = list_of(day, 2).split(",")
    late = [name for name in named if name in ("29", "30", "31", "l")]
    early = [name for name in named if name not in late]
    groups = ([",".join(early)] if early else []) + late
    pairs = [(group, "*" if either else weekday) for group in groups] + ([("*", weekday)] if either else [])
    return [" ".join([minute, hour, days, month, weekdays] + second) for days, weekdays in pairs]


def list_of(field, index):
    """The values that croniter reads in a field of five."""
    from croniter import croniter

    fields = ["*"] * 5
    fields[index] = field
    return ",".join(str(value) for value in croniter.expand(" ".join(fields))[0][index])


def walls_of(text, start):
    from croniter import CroniterBadDateError, croniter

    walls = croniter(text, start, ret_type=datetime, day_or=False)
    try:
        while True:
            yield walls.get_next()
    except CroniterBadDateError:
        return


def croniter_fires(expression, zone, start, count):
    fires = []
    for wall in heapq.merge(*(walls_of(text, wall_of(start, zone)) for text in for_croniter(expression))):
        fire = int(wall.replace(tzinfo=zone).timestamp())
        if is_plain(wall, zone) and fire not in fires[-1:]:
            fires.append(fire)
        if len(fires) == count:
            break
    return fires or "impossible"


def check_croniter(cases):
    for expression, zone, start, ours in cases:
        theirs = croniter_fires(expression, ZoneInfo(zone), start, THEIRS)
        yield expression, zone, start, ours, theirs, end_of(theirs, THEIRS)


def systemd_fires(cases, count):
    """The fires of several expressions with one start and one zone, by one call of systemd-analyze; None of one on which
    it gives up: systemd 252 takes only so many steps to find a time."""
    zone, start = cases[0][1], cases[0][2]
    base = datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    command = ["systemd-analyze", "calendar", f"--iterations={count}", f"--base-time={base}"]
    command += [expression for expression, *_ in cases]
    # For a zone that is named with the expression it starts a process for each fire.
    done = subprocess.run(command, capture_output=True, text=True, env={"TZ": zone, "LC_ALL": "C", "PATH": "/usr/bin:/bin"})
    blocks = done.stdout.strip().split("\n\n")
    if len(blocks) != len(cases) or done.returncode != 0:
        if len(cases) > 1:
            half = len(cases) // 2
            yield from systemd_fires(cases[:half], count)
            yield from systemd_fires(cases[half:], count)
            return
        assert "Resource deadlock avoided" in done.stderr, done.stderr
        yield None
        return
    for block in blocks:
        stamps = re.findall(r"(?:Next elapse|Iter. #\d+): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ", block)
        walls = (datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S") for stamp in stamps)
        yield [int(wall.replace(tzinfo=ZoneInfo(zone)).timestamp()) for wall in walls]


def check_systemd(cases):
    groups = {}
    for case in cases:
        groups.setdefault((case[1], case[2]), []).append(case)
    for group in groups.values():
        for (expression, zone, start, ours), fires in zip(group, systemd_fires(group, THEIRS)):
            if fires is None:
                yield expression, zone, start, [], [], start
                continue
            theirs = [fire for fire in fires if is_plain(wall_of(fire, ZoneInfo(zone)), ZoneInfo(zone))]
            yield expression, zone, start, ours, theirs if fires else "impossible", end_of(fires, THEIRS)


def main():
    cases = []
    for line in sys.stdin:
        expression, zone, start, fires = line.rstrip("\n").split("\t")
        ours = fires if fires == "impossible" else [int(fire) for fire in fires.split()]
        cases.append((expression, zone, int(start), ours))
    compared = fires = differences = 0
    check = {"croniter": check_croniter, "systemd": check_systemd}[sys.argv[1]]
    for expression, zone, start, ours, theirs, their_end in check(cases):
        compared += 1
        if "impossible" not in (ours, theirs):
            end = min(end_of(ours, OURS), their_end)
            ours = [fire for fire in ours if fire <= end and is_plain(wall_of(fire, ZoneInfo(zone)), ZoneInfo(zone))]
            theirs = [fire for fire in theirs if fire <= end]
            fires += len(theirs)
        if ours != theirs:
            differences += 1
            if differences <= 20:
                print(f"{expression!r} in {zone} from {start}: ours {ours}, theirs {theirs}")
    print(f"compared {compared} cases, {fires} fires, {differences} differences")


main()
