// Goal: `godwit schedule next` answers without a daemon, one instant a line. Method: the real program, with a socket
// path where nobody listens.
#include <catch2/catch.hpp>

#include <sys/wait.h>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "support/temp_dir.hpp"

namespace {

struct Outcome {
  std::string out;
  int code;
};

Outcome run_godwit(const std::string& words) {
  const auto command = "GODWIT_SOCKET=/nonexistent/socket " GODWIT_BINARY_DIR "/bin/godwit " + words + " 2>&1";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe);
  std::string out;
  char buffer[4096];
  while (const auto size = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, size);
  const int status = ::pclose(pipe);
  REQUIRE(WIFEXITED(status));
  return {out, WEXITSTATUS(status)};
}

}  // namespace

TEST_CASE("schedule next prints instants without a daemon") {
  const auto counted =
      run_godwit("schedule next --cron '30 2 * * *' --zone Europe/Dublin --from 2026-03-28T00:00:00Z --count 3");
  CHECK(counted.code == 0);
  CHECK(counted.out == "2026-03-28T02:30:00Z\n2026-03-29T01:30:00Z\n2026-03-30T01:30:00Z\n");
  CHECK(
      run_godwit("schedule next --every 6h --from 2026-03-28T00:00:00Z --to 2026-03-28T18:00:00Z --local -z Asia/Tokyo")
          .out == "2026-03-28T15:00:00+09:00\n2026-03-28T21:00:00+09:00\n2026-03-29T03:00:00+09:00\n");
  CHECK(
      run_godwit("schedule next --cron '30 1 29 3 *' -z Europe/Dublin --clock-change shift --from 2026-01-01T00:00:00Z "
                 "-n 1 --json")
          .out == "[\"2026-03-29T01:30:00Z\"]\n");
}

TEST_CASE("what can never fire, or is no expression, is refused with its place") {
  const auto never = run_godwit("schedule next --cron '0 0 30 2 *'");
  CHECK(never.code == 6);
  CHECK(never.out == "godwit: --cron:1:5: no year has such a day, so this would never fire\n");
  CHECK(run_godwit("schedule next --cron '0 25 * * *'").code == 6);
  CHECK(run_godwit("schedule next --cron '@daily' --zone Mars/Olympus").code == 6);
  CHECK(run_godwit("schedule next").code == 2);
  CHECK(run_godwit("schedule next --cron '@daily' --every 5m").code == 2);
  CHECK(run_godwit("schedule next --cron '@daily' --from yesterday").code == 2);
}

namespace {

std::string write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path) << text;
  return path.string();
}

}  // namespace

TEST_CASE("schedule import writes jobs and compares a year") {
  const godwit::support::TempDir dir;
  const auto tab = write(dir / "tab", "CRON_TZ=Europe/Dublin\n30 1 * * * /bin/backup\n0 */2 * * * /bin/sync-all\n");
  const auto jobs = (dir / "jobs").string();
  const auto imported = run_godwit("schedule import --user " + tab + " -o " + jobs + " --from 2026-01-01T00:00:00Z");
  INFO(imported.out);
  CHECK(imported.code == 0);
  CHECK_THAT(imported.out,
             Catch::Contains("30 1 * * * in Europe/Dublin: 365 times in the next year, the same as with cron"));
  CHECK_THAT(imported.out, Catch::Contains("0 */2 * * * in Europe/Dublin:"));
  for (const auto* job : {"backup", "sync-all"})
    CHECK(run_godwit("job convert " + jobs + "/" + job + ".yaml").code == 0);
  CHECK(run_godwit("schedule import --user " + tab + " -o " + jobs).code == 6);  // they are there
  CHECK(run_godwit("schedule import --user " + tab + " -o " + jobs + " --force -q").out == "backup\nsync-all\n");
}

TEST_CASE("imported timers have the times that systemd-analyze gives") {
  if (std::system("systemd-analyze calendar daily > /dev/null 2>&1") != 0) {
    WARN("skipped: systemd-analyze is not here");
    return;
  }
  const godwit::support::TempDir dir;
  write(dir / "a.service", "[Service]\nExecStart=/bin/true\n");
  for (const std::string when :
       {"Mon..Fri 02:30", "*-*-01,15 06:00:00", "weekly", "*-02-29 12:00", "Sat *-*-1..7 18:00", "hourly"}) {
    INFO(when);
    write(dir / "a.timer", "[Timer]\nOnCalendar=" + when + "\n");
    const auto imported =
        run_godwit("schedule import " + (dir / "a.timer").string() + " --zone UTC --from 2027-06-01T00:00:00Z");
    INFO(imported.out);
    CHECK(imported.code == 0);
    CHECK_THAT(imported.out, Catch::Contains("the same as with systemd"));
  }
}

TEST_CASE("schedule import tells what it cannot take over with its place") {
  const godwit::support::TempDir dir;
  const auto bad = run_godwit("schedule import --user " + write(dir / "tab", "0 25 * * * x\n@reboot y\n5 4 * * * z\n"));
  CHECK(bad.code == 6);
  CHECK_THAT(bad.out, Catch::Contains("tab:1:3:") && Catch::Contains("tab:2:1: @reboot") && Catch::Contains("job: z"));
  CHECK(run_godwit("schedule import /nonexistent/tab").code == 3);
  CHECK(run_godwit("schedule import " + write(dir / "empty", "")).code == 6);
}
