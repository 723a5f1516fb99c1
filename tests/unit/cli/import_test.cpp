// Goal: crontabs and timers become jobs that do the same at the same times, and what cannot be taken over is told with
// its line. Method: texts as they are found on machines, read as files are; the jobs' text is what godwit would write.
#include <catch2/catch.hpp>

#include "cli/imported.hpp"
#include "cron/fire_times.hpp"
#include "cron/zone.hpp"

using namespace godwit;
using cli::CrontabKind;
using cli::ImportReport;

namespace {

ImportReport crontab(const std::string& text, CrontabKind kind = CrontabKind::user, const std::string& file = "tab") {
  ImportReport report;
  cli::read_crontab(text, file, kind, "Europe/Dublin", report);
  return report;
}

ImportReport timer(const std::string& text, const std::string& service) {
  ImportReport report;
  cli::read_timer(
      text, "/units/backup.timer", "Europe/Dublin",
      [&](const std::string& unit) -> std::string {
        if (unit != "backup.service") throw base::not_found("there is no " + unit);
        return service;
      },
      report);
  return report;
}

std::string problems(const ImportReport& report) {
  std::string text;
  for (const auto& problem : report.problems) text += problem.text() + "\n";
  return text;
}

base::Instant at(const std::string& text) {
  return base::parse_instant(text).value();
}

std::string times_text(const std::vector<base::Instant>& times) {
  std::string text;
  for (const auto time : times) text += cron::format_in_zone(time, cron::Zone::find("UTC")) + " ";
  return text;
}

}  // namespace

TEST_CASE("a user's crontab becomes jobs") {
  const auto report = crontab(R"(# comment
SHELL=/bin/bash
PATH = "/opt/bin:/usr/bin"
MAILTO=ops@example.org

30 2 * * *   /usr/local/bin/backup --all 2>&1 | logger
@daily	echo a\%b%first%second
CRON_TZ=Asia/Tokyo
*/15 9-17 * * 1-5 curl "http://x/${HOME}"
)");
  CHECK(problems(report).empty());
  REQUIRE(report.jobs.size() == 3);
  const auto& backup = report.jobs[0];
  CHECK(backup.name == "backup");
  CHECK(backup.place.line == 6);
  CHECK(backup.schedules[0].timing.text == "30 2 * * *");
  CHECK(backup.schedules[0].timing.zone == "Europe/Dublin");
  CHECK(backup.schedules[0].missed == model::Missed::none);
  CHECK(backup.schedules[0].overlap == model::Overlap::allow);
  CHECK(backup.commands[0].argv ==
        std::vector<std::string>{"/bin/bash", "-c", "/usr/local/bin/backup --all 2>&1 | logger"});
  CHECK(backup.commands[0].env.at("PATH") == "/opt/bin:/usr/bin");
  CHECK_THAT(backup.notes.at(0), Catch::Contains("mails what it prints to ops@example.org"));
  CHECK(report.jobs[1].commands[0].argv.back() == "echo a%b");
  CHECK(report.jobs[1].commands[0].stdin_text == "first\nsecond\n");
  CHECK(report.jobs[2].schedules[0].timing.zone == "Asia/Tokyo");
  CHECK(cli::job_text(report.jobs[2]) == R"(# Imported from tab:9
#   */15 9-17 * * 1-5 curl "http://x/${HOME}"
# cron mails what it prints to ops@example.org; `godwit logs` has it here, and `on_failure` can tell somebody
job: curl
schedule:
  {"cron":"*/15 9-17 * * 1-5","zone":"Asia/Tokyo","missed":"none","overlap":"allow"}
stages:
  run:
    uses: shell.run
    with:
      argv: ["/bin/bash", "-c", "curl \"http://x/$${HOME}\""]
      env:
        PATH: "/opt/bin:/usr/bin"
)");
}

TEST_CASE("a system's crontab has a column for the user, which is found out") {
  const auto report =
      crontab("17 * * * * root cd / && run-parts /etc/cron.hourly\n5 1 * * * daemon /bin/true\n", CrontabKind::detect);
  REQUIRE(report.jobs.size() == 2);
  CHECK(report.jobs[0].commands[0].argv ==
        std::vector<std::string>{"/bin/sh", "-c", "cd / && run-parts /etc/cron.hourly"});
  CHECK(report.jobs[1].commands[0].argv ==
        std::vector<std::string>{"runuser", "-u", "daemon", "--", "/bin/sh", "-c", "/bin/true"});
  CHECK(crontab("0 5 * * * backup-everything now\n", CrontabKind::detect).jobs[0].commands[0].argv.back() ==
        "backup-everything now");
  CHECK(crontab("0 5 * * * root x\n", CrontabKind::system, "/etc/cron.d/certbot").jobs[0].name == "certbot");
}

TEST_CASE("what cannot be taken over is told with line and column, and the rest is") {
  const auto report = crontab(R"(@reboot /bin/start
0 25 * * * x
  0 0 30 2 * x
1 2 3
0~30 * * * * x
0 0 * * *
CRON_TZ=Mars/Olympus
0 0 * * * fine
)");
  CHECK(report.jobs.size() == 1);
  const auto text = problems(report);
  INFO(text);
  CHECK_THAT(text, Catch::Contains("tab:1:1: @reboot") && Catch::Contains("tab:2:3:") &&
                       Catch::Contains("tab:3:7: no year has such a day") &&
                       Catch::Contains("tab:4:1: an entry has five fields") &&
                       Catch::Contains("tab:5:1: a random range") &&
                       Catch::Contains("tab:6:1: the command is missing") && Catch::Contains("tab:7:") &&
                       Catch::Contains("Mars/Olympus"));
}

TEST_CASE("no text of a crontab or a unit does harm") {
  for (const std::string& text : {std::string("\0\0\0", 3), std::string(100'000, '*'), std::string("* * * * *"),
                                  std::string("%"), std::string("=x"), std::string("A="), std::string("@"),
                                  std::string("@daily"), std::string("[Timer"), std::string("[Timer]\nOnCalendar=\\"),
                                  std::string("[Timer]\nOnCalendar=daily\nRandomizedDelaySec=9999999999999999h")}) {
    CHECK(crontab(text, CrontabKind::detect).jobs.size() <= 1);
    CHECK(timer(text, text).jobs.size() <= 1);
  }
}

TEST_CASE("a timer and its service become a job") {
  const auto report = timer(R"([Unit]
Description=Backup
[Timer]
OnCalendar=Mon..Fri 02:30
OnCalendar=Sat \
  *-*-* 04:00 UTC
Persistent=true
RandomizedDelaySec=1h 30min
)",
                            R"([Service]
Type=oneshot
User=backup
WorkingDirectory=/var/backups
Environment="LEVEL=full 100%%" PATH=/bin
ExecStart=/usr/bin/backup --to "a b" 'c'
ExecStart=-/usr/bin/prune
)");
  CHECK(problems(report).empty());
  REQUIRE(report.jobs.size() == 1);
  const auto& job = report.jobs[0];
  CHECK(job.name == "backup");
  REQUIRE(job.schedules.size() == 2);
  CHECK(job.schedules[0].timing.zone == "Europe/Dublin");
  CHECK(job.schedules[1].timing.zone == "UTC");
  CHECK(job.schedules[0].missed == model::Missed::last);
  CHECK(job.schedules[0].overlap == model::Overlap::skip);
  CHECK(job.schedules[0].jitter == std::chrono::minutes(90));
  REQUIRE(job.commands.size() == 2);
  CHECK(job.commands[0].argv ==
        std::vector<std::string>{"runuser", "-u", "backup", "--", "/usr/bin/backup", "--to", "a b", "c"});
  CHECK(job.commands[0].env.at("LEVEL") == "full 100%");
  CHECK(job.commands[0].cwd == "/var/backups");
  CHECK_THAT(cli::job_text(job), Catch::Contains("  run2:\n    needs: [run1]\n"));
}

TEST_CASE("a timer that cannot be taken over says why") {
  CHECK_THAT(problems(timer("[Timer]\nOnBootSec=5min\n", "[Service]\nExecStart=/bin/x\n")),
             Catch::Contains("backup.timer:1:1: no OnCalendar="));
  CHECK_THAT(problems(timer("[Timer]\n\nOnCalendar=Foo 25:00\n", "[Service]\nExecStart=/bin/x\n")),
             Catch::Contains("/units/backup.timer:3:"));
  CHECK_THAT(problems(timer("[Timer]\nUnit=other.service\nOnCalendar=daily\n", "")),
             Catch::Contains("backup.timer:2:6: the service 'other.service'"));
  CHECK_THAT(problems(timer("[Timer]\nOnCalendar=daily\n", "[Service]\nExecStart=/bin/x %i\n")),
             Catch::Contains("/units/backup.service:2:18: the specifier %i"));
  CHECK_THAT(problems(timer("[Timer]\nOnCalendar=daily\n", "[Service]\nExecStart=/bin/x $HOME\n")),
             Catch::Contains("variables in a command"));
  CHECK_THAT(problems(timer("[Timer]\nOnCalendar=daily\nRandomizedDelaySec=soon\n", "[Service]\nExecStart=/bin/x\n")),
             Catch::Contains("backup.timer:3:20: 'soon'"));
}

TEST_CASE("cron's own times around clock changes") {
  const auto times = [](const std::string& expression, const char* from, const char* to) {
    return times_text(cli::times_of_cron({model::Timing::Kind::cron, expression, "Europe/Dublin"}, at(from), at(to)));
  };
  // 01:00 UTC: the clock goes from 01:00 to 02:00 in March, from 02:00 to 01:00 in October.
  CHECK(times("30 1 * * *", "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z") ==
        "2026-03-29T01:00:00Z 2026-03-30T00:30:00Z ");
  CHECK(times("30 1 * * *", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z") ==
        "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z ");
  // With a star it looks at the clock of each minute.
  CHECK(times("30 */1 * * *", "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z") ==
        "2026-03-29T00:30:00Z 2026-03-29T01:30:00Z ");
  CHECK(times("0 */2 * * *", "2026-10-24T23:30:00Z", "2026-10-25T04:30:00Z") ==
        "2026-10-25T02:00:00Z 2026-10-25T04:00:00Z ");
  // What godwit does is the same where the schedule is a fixed time.
  const cron::FireTimes ours({model::Timing::Kind::cron, "30 1 * * *", "Europe/Dublin", model::ClockChange::run_once});
  std::vector<base::Instant> year;
  const auto from = at("2026-01-01T00:00:00Z"), to = at("2027-01-01T00:00:00Z");
  for (auto next = ours.next(from); next && *next <= to; next = ours.next(*next)) year.push_back(*next);
  CHECK(year == cli::times_of_cron({model::Timing::Kind::cron, "30 1 * * *", "Europe/Dublin"}, from, to));
}
