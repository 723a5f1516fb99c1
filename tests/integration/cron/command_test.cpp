// Goal: `godwit schedule next` answers without a daemon, one instant a line. Method: the real program, with a socket
// path where nobody listens.
#include <catch2/catch.hpp>

#include <sys/wait.h>
#include <cstdio>
#include <string>

namespace {

struct Outcome {
  std::string out;
  int code;
};

Outcome godwit(const std::string& words) {
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
      godwit("schedule next --cron '30 2 * * *' --zone Europe/Dublin --from 2026-03-28T00:00:00Z --count 3");
  CHECK(counted.code == 0);
  CHECK(counted.out == "2026-03-28T02:30:00Z\n2026-03-29T01:30:00Z\n2026-03-30T01:30:00Z\n");
  CHECK(godwit("schedule next --every 6h --from 2026-03-28T00:00:00Z --to 2026-03-28T18:00:00Z --local -z Asia/Tokyo")
            .out == "2026-03-28T15:00:00+09:00\n2026-03-28T21:00:00+09:00\n2026-03-29T03:00:00+09:00\n");
  CHECK(godwit("schedule next --cron '30 1 29 3 *' -z Europe/Dublin --clock-change shift --from 2026-01-01T00:00:00Z "
               "-n 1 --json")
            .out == "[\"2026-03-29T01:30:00Z\"]\n");
}

TEST_CASE("what can never fire, or is no expression, is refused with its place") {
  const auto never = godwit("schedule next --cron '0 0 30 2 *'");
  CHECK(never.code == 6);
  CHECK(never.out == "godwit: --cron:1:5: no year has such a day, so this would never fire\n");
  CHECK(godwit("schedule next --cron '0 25 * * *'").code == 6);
  CHECK(godwit("schedule next --cron '@daily' --zone Mars/Olympus").code == 6);
  CHECK(godwit("schedule next").code == 2);
  CHECK(godwit("schedule next --cron '@daily' --every 5m").code == 2);
  CHECK(godwit("schedule next --cron '@daily' --from yesterday").code == 2);
}
