// Goal: the real daemon lives through the whole zoo at once, while a neighbour's run goes on. Method: one job for each
// animal, all submitted together, each expected to end with its own cause; then the daemon does what it did before.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "support/daemon_process.hpp"
#include "support/zoo.hpp"

using namespace godwit;
using support::DaemonProcess;
namespace fs = std::filesystem;
namespace json = base::json;

namespace {

support::DaemonOptions zoo_options(const support::ZooFolder& zoo) {
  support::DaemonOptions options;
  options.settings = "plugin_ping: 500ms\nplugins:\n";
  for (const auto& animal : support::zoo())
    options.settings += std::string("  zoo.") + animal.name + ": " + animal.settings + "\n";
  options.plugin_dirs = {zoo.path(), GODWIT_BINARY_DIR "/test-plugins", GODWIT_BINARY_DIR "/plugins"};
  return options;
}

std::int64_t submit(DaemonProcess& daemon, const std::string& name, const std::string& stage) {
  const std::string text = "job: " + name + "\nstages:\n  s: " + stage + "\nresult: ${ stages.s }\n";
  return daemon.call("run.submit", {{"file", name + ".yaml"}, {"text", text}}).at("run").to_number<std::int64_t>();
}

}  // namespace

TEST_CASE("the daemon lives through the whole zoo while a neighbour's 200 calls succeed") {
  const support::ZooFolder zoo;
  {
    DaemonProcess daemon(zoo_options(zoo));
    daemon.start();
    CHECK(daemon.wait_for_end(submit(daemon, "before", "{uses: zoo.prints}")).at("state") == "succeeded");
    CHECK(zoo.served() == std::vector{zoo.path() + "/prints.so"});
    const pid_t pid = daemon.pid();
    const auto neighbour = submit(daemon, "neighbour",
                                  "{foreach: '${ range(1, 200) }', parallel: 4, uses: count-search/1.search, with: {n: "
                                  "'${ item }', delay_ms: 20}}");
    std::vector<std::pair<const support::Animal*, std::int64_t>> runs;
    for (const auto& animal : support::zoo()) {
      if (std::string(animal.input) != "null") continue;  // a stage's input is an object
      const std::string timeout =
          animal.timeout_ms > 0 ? ", timeout: " + std::to_string(animal.timeout_ms) + "ms" : std::string();
      runs.emplace_back(&animal, submit(daemon, std::string("zoo-") + std::to_string(runs.size()),
                                        std::string("{uses: zoo.") + animal.name + timeout +
                                            ", retry_safe: true, retry: {attempts: 1, backoff: 50ms}}"));
    }
    REQUIRE(runs.size() >= 25);
    for (const auto& [animal, run] : runs) {
      INFO(animal->name);
      CHECK_THAT(json::serialize(daemon.wait_for_end(run)), Catch::Contains(animal->expected));
    }
    const auto end = daemon.wait_for_end(neighbour);
    CHECK(end.at("state") == "succeeded");
    CHECK(end.at("result").at("items").as_array().size() == 200);
    CHECK(daemon.pid() == pid);
    CHECK(daemon.running());
    CHECK(daemon.wait_for_end(submit(daemon, "after", "{uses: noop, with: {v: 7}}")).at("result").at("v") == 7);
    daemon.stop();
  }
  for (int i = 0; i < 10'000 && !zoo.served().empty(); ++i) ::usleep(1000);
  CHECK(zoo.served() == std::vector<std::string>{});
}

TEST_CASE("a plugin in quarantine fails its runs at once with the report, until it is reset, which the audit tells") {
  const support::ZooFolder zoo;
  DaemonProcess daemon(zoo_options(zoo));
  daemon.start();
  const auto crash = [&](int number) {
    const auto run =
        submit(daemon, "crash-" + std::to_string(number), "{uses: zoo.segv, retry_safe: true, retry: {attempts: 1}}");
    return json::serialize(daemon.wait_for_end(run));
  };
  // A step that was lost with its host is tried again, so one run may crash it several times.
  std::string last = crash(0);
  CHECK_THAT(last, Catch::Contains("crashed") && Catch::Contains("SIGSEGV"));
  for (int i = 1; i < 5 && last.find("quarantined") == std::string::npos; ++i) last = crash(i);
  CHECK_THAT(last, Catch::Contains("quarantined") && Catch::Contains("SIGSEGV") &&
                       Catch::Contains("about to touch what is not mine") &&
                       Catch::Contains("godwit plugin reset zoo.segv"));
  CHECK_THAT(daemon.cli({"plugin", "show", "zoo.segv"}).out, Catch::Contains("quarantine"));
  daemon.kill();
  daemon.start();
  CHECK_THAT(daemon.cli({"plugin", "list"}).out, Catch::Contains("quarantine"));
  CHECK_THAT(crash(5), Catch::Contains("quarantined") && Catch::Contains("SIGSEGV"));
  CHECK(daemon.cli({"plugin", "reset", "nobody"}).exit_code == 3);
  CHECK(daemon.cli({"plugin", "reset", "zoo.segv"}).exit_code == 0);
  CHECK_THAT(crash(6), Catch::Contains("crashed"));
  CHECK_THAT(daemon.cli({"--json", "audit"}).out, Catch::Contains("plugin.reset") && Catch::Contains("zoo.segv"));
}

TEST_CASE("a reload upgrades a plugin: new runs get the new version, the running one keeps its own") {
  const support::TempDir folder;
  const fs::path file = folder / "count.so";
  fs::copy_file(GODWIT_BINARY_DIR "/test-plugins/count.so", file);
  support::DaemonOptions options;
  options.plugin_dirs = {folder.path().string()};
  DaemonProcess daemon(std::move(options));
  daemon.start();
  const auto search = [&](const std::string& name, int items) {
    return submit(daemon, name,
                  "{foreach: '${ range(1, " + std::to_string(items) +
                      ") }', parallel: 2, uses: count.search, with: {n: '${ item }', delay_ms: 20}}");
  };
  const auto calls = [&](const std::string& version) {
    const auto answer = daemon.call("plugin.show", {{"plugin", "test.count"}});
    for (const auto& process : answer.at("processes").as_array())
      if (process.at("version") == json::string_view(version)) return process.at("calls").to_number<int>();
    return 0;
  };
  const auto old = search("old", 200);
  for (int i = 0; i < 10'000 && calls("1.0.0") < 20; ++i) ::usleep(1000);
  fs::copy_file(GODWIT_BINARY_DIR "/test-plugins-next/count.so", folder / "fresh");
  fs::rename(folder / "fresh", file);
  daemon.call("daemon.reload");
  CHECK(calls("2.0.0") == 0);
  CHECK(daemon.wait_for_end(search("new", 10)).at("state") == "succeeded");
  CHECK(calls("2.0.0") == 10);
  CHECK(daemon.wait_for_end(old).at("state") == "succeeded");
  CHECK(calls("1.0.0") == 200);
  CHECK(calls("2.0.0") == 10);
}
