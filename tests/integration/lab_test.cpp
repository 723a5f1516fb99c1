// Goal: `godwit job test` passes for every shipped job, with crashes at every point, and needs no daemon; `godwit run
// export` writes what it can play again. Method: the real command line; a socket at which nobody listens.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>

#include "support/daemon_process.hpp"

using namespace godwit;
namespace fs = std::filesystem;
namespace json = base::json;

namespace {

support::CommandResult godwit_cli(const support::TempDir& dir, std::vector<std::string> arguments) {
  std::ofstream(dir / "none.yaml") << "{}\n";
  return support::run_command(
      std::string(GODWIT_BINARY_DIR) + "/bin/godwit", std::move(arguments),
      {"GODWIT_SOCKET=" + (dir / "nobody.sock").string(), "HOME=" + dir.path().string(), "PATH=/usr/bin:/bin"});
}

}  // namespace

TEST_CASE("all tests of the shipped jobs pass, come what may, and every shipped job has tests") {
  const support::TempDir dir;
  const std::string scripts = std::string(GODWIT_SOURCE_DIR) + "/scripts";
  const auto junit = (dir / "junit.xml").string();
  const auto result = godwit_cli(dir, {"job", "test", scripts, "--crash-sweep", "--json", "--junit", junit, "--config",
                                       (dir / "none.yaml").string()});
  INFO(result.out << result.err);
  CHECK(result.exit_code == 0);
  std::set<std::string> tested;
  const auto tests = base::parse_json(result.out);
  for (const auto& test : tests.as_array()) {
    INFO(json::serialize(test));
    CHECK(test.at("passed").as_bool());
    tested.insert(std::string(test.at("job").as_string()));
  }
  for (const auto& entry : fs::recursive_directory_iterator(scripts))
    if (entry.path().extension() == ".yaml" && entry.path().stem().extension() != ".test") {
      INFO(entry.path());
      CHECK(tested.contains(entry.path().string()));
    }
  std::ifstream in(junit);
  const std::string xml{std::istreambuf_iterator<char>(in), {}};
  CHECK_THAT(xml, Catch::Contains("failures=\"0\"") && Catch::Contains("<testcase "));
}

TEST_CASE("the exit code says how the tests went") {
  const support::TempDir dir;
  std::ofstream(dir / "a.yaml") << "job: a\nstages: {one: {uses: x.y}}\n";
  std::ofstream(dir / "a.test.yaml") << "tests: {t: {mocks: {x.y: 1}, expect: {result: 2}}}\n";
  const auto failed = godwit_cli(dir, {"job", "test", (dir / "a.yaml").string()});
  CHECK(failed.exit_code == 1);
  CHECK_THAT(failed.out, Catch::Contains("FAIL  t") && Catch::Contains("result: expected 2, got 1"));
  CHECK(godwit_cli(dir, {"job", "test", (dir / "b.yaml").string()}).exit_code == 3);
  CHECK(godwit_cli(dir, {"job", "test", (dir / "a.yaml").string(), "--only", "nothing"}).exit_code == 3);
  CHECK(godwit_cli(dir, {"job", "test"}).exit_code == 2);
  std::ofstream(dir / "a.test.yaml") << "tests: {t: {mocks: {x.y: 1}}}\n";
  CHECK(godwit_cli(dir, {"job", "test", dir.path().string()}).exit_code == 6);
}

TEST_CASE("a job's picture needs no daemon") {
  const support::TempDir dir;
  const auto picture = godwit_cli(
      dir, {"job", "graph", std::string(GODWIT_SOURCE_DIR) + "/scripts/flights/flock.yaml", "--format", "svg"});
  CHECK(picture.exit_code == 0);
  CHECK_THAT(picture.out, Catch::StartsWith("<svg "));
}

TEST_CASE("an exported run answers a test") {
  support::DaemonProcess daemon;
  daemon.start();
  const auto file = (daemon.dir() / "a.yaml").string();
  std::ofstream(file) << "job: a\nparams: {text: string}\nstages:\n  say: {uses: shell.run, with: {argv: [echo, \"${ "
                         "params.text }\"]}}\n"
                         "result: ${ stages.say.stdout }\n";
  const auto run = daemon.cli({"submit", file, "-p", "text=hello", "-w"});
  REQUIRE(run.exit_code == 0);
  const auto exported = daemon.cli({"run", "export", "1"});
  REQUIRE(exported.exit_code == 0);
  std::ofstream(daemon.dir() / "run.json") << exported.out;
  std::ofstream(daemon.dir() / "a.test.yaml")
      << "tests: {again: {recorded: run.json, expect: {result: \"hello\\n\"}}}\n";
  const auto result = godwit_cli(daemon.dir(), {"job", "test", file, "--crash-sweep"});
  INFO(result.out << result.err << exported.out);
  CHECK(result.exit_code == 0);
}
