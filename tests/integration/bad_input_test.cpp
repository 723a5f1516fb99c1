// Goal: whatever is wrong with an input, `godwit submit` says what and where, exits with 6, and the daemon goes on.
// Method: every folder of cases/bad_input (its README names the files) through the real command line and daemon.
#include <catch2/catch.hpp>
#include <fstream>

#include "support/daemon_process.hpp"

using namespace godwit;
namespace fs = std::filesystem;

namespace {

const fs::path kCases = fs::path(GODWIT_SOURCE_DIR) / "tests" / "integration" / "cases" / "bad_input";

support::DaemonProcess& daemon() {
  static support::DaemonProcess process;
  if (!process.running()) process.start();
  return process;
}

std::vector<std::string> lines(const fs::path& file) {
  std::vector<std::string> result;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) result.push_back(line);
  return result;
}

// The job file of a case, made when the case says how instead of what.
fs::path job_of(const fs::path& folder, const support::TempDir& dir) {
  if (!fs::exists(folder / "make")) return folder / "job.yaml";
  const auto made = support::run_command("/bin/sh", {(folder / "make").string()});
  REQUIRE(made.exit_code == 0);
  std::ofstream(dir / "job.yaml", std::ios::binary) << made.out;
  return dir / "job.yaml";
}

}  // namespace

TEST_CASE("each bad input is refused with its place and the daemon goes on") {
  int cases = 0;
  for (const auto& entry : fs::directory_iterator(kCases)) {
    if (!entry.is_directory()) continue;
    ++cases;
    const support::TempDir dir;
    std::vector<std::string> arguments{"submit", job_of(entry.path(), dir).string()};
    if (fs::exists(entry.path() / "params.json"))
      arguments.insert(arguments.end(), {"--params", (entry.path() / "params.json").string()});
    const auto result = daemon().cli(arguments);
    INFO(entry.path().filename() << " printed:\n" << result.out << result.err);
    CHECK(result.exit_code == 6);
    for (const auto& expected : lines(entry.path() / "expected")) CHECK_THAT(result.err, Catch::Contains(expected));
  }
  CHECK(cases >= 40);
  CHECK(daemon().cli({"ping"}).exit_code == 0);
}

TEST_CASE("the flight jobs refuse what makes no sense, and a search that cannot be made is told in the result") {
  support::DaemonProcess flights({.job_dirs = {std::string(GODWIT_SOURCE_DIR) + "/scripts/flights"}});
  flights.start();
  const std::string params = std::string(GODWIT_SOURCE_DIR) + "/scripts/flights/flock.params.json";
  const auto early = flights.cli({"submit", "flock", "--params", params, "-p", "return_date=2020-01-01"});
  CHECK(early.exit_code == 6);
  CHECK_THAT(early.err, Catch::Contains("return_date") && Catch::Contains("before outbound_date"));
  const auto nowhere = flights.cli({"submit", "flock", "--params", params, "-p", "destinations=[\"QQQ\"]", "--wait"});
  CHECK(nowhere.exit_code == 0);
  CHECK_THAT(nowhere.out, Catch::Contains("unknown_airport") && Catch::Contains("QQQ"));
}
