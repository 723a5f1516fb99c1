// Goal: queues, priorities, keyed limits and breakers do over real processes, PostgreSQL and the command line what
// their unit tests say they do, restarts included. Method: the real daemon, with plugins that wait for a file.
#include <unistd.h>
#include <catch2/catch.hpp>

#include <fstream>

#include "support/daemon_process.hpp"

using namespace godwit;
using support::DaemonProcess;
namespace json = base::json;

namespace {

struct World {
  explicit World(const std::string& settings) : daemon({.settings = settings, .job_dirs = {jobs.path().string()}}) {}
  void job(const std::string& name, const std::string& text) {
    std::ofstream(jobs / (name + ".yaml")) << "job: " << name << "\n" << text;
  }
  std::string waits_for(const std::string& file) const {
    return "stages:\n  s: {uses: hold, retry_safe: true, with: {file: '" + (jobs / file).string() + "'}}\n";
  }
  void let_go(const std::string& file) const { std::ofstream(jobs / file) << "1"; }
  std::string submit(std::vector<std::string> words) {
    words.insert(words.begin(), {"submit", "-q"});
    const auto result = daemon.cli(words);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return result.out.substr(0, result.out.find('\n'));
  }
  std::string state(const std::string& run) {
    return daemon.query("select state from godwit.runs where run = " + run).at(0);
  }
  std::string why(const std::string& run, const std::string& wanted) {
    std::string text;
    for (int i = 0; i < 200 && text.find(wanted) == std::string::npos; ++i) {
      text = daemon.cli({"why", run}).out;
      ::usleep(50'000);
    }
    return text;
  }

  support::TempDir jobs;
  DaemonProcess daemon;
};

}  // namespace

TEST_CASE("a queue bounds its runs and can be paused, over restarts") {
  World world("queues: {one: 1}\n");
  world.job("held", "queue: one\n" + world.waits_for("go"));
  world.daemon.start();
  const auto first = world.submit({"held"}), second = world.submit({"held"}),
             other = world.submit({"held", "--queue", "two"});
  CHECK_THAT(world.why(second, "queue 'one'"), Catch::Contains("1 of 1 places are taken by run " + first));
  CHECK(world.daemon.cli({"queue", "pause", "one"}).exit_code == 0);
  CHECK(world.daemon.cli({"queue", "pause", "nothing"}).exit_code == 3);
  world.daemon.kill();
  world.daemon.start();
  CHECK_THAT(world.daemon.cli({"queue", "list"}).out, Catch::Contains("one") && Catch::Contains("paused by"));
  world.let_go("go");
  CHECK(world.daemon.wait_for_end(std::stoll(other)).at("state") == "succeeded");
  CHECK_THAT(world.why(second, "paused"), Catch::Contains("godwit queue resume one"));
  CHECK(world.state(second) == "queued");
  CHECK(world.daemon.cli({"queue", "resume", "one"}).exit_code == 0);
  CHECK(world.daemon.wait_for_end(std::stoll(first)).at("state") == "succeeded");
  CHECK(world.daemon.wait_for_end(std::stoll(second)).at("state") == "succeeded");
  CHECK_THAT(world.daemon.cli({"audit"}).out, Catch::Contains("queue.pause") && Catch::Contains("queue.resume"));
}

TEST_CASE("an urgent run overtakes a backlog of thousands in the database") {
  World world("engine: {active_runs_max: 64, steps_in_flight_max: 32}\n");
  world.job("slow", "stages: {s: {uses: sleep, with: {seconds: 0.2}}}\n");
  world.job("fast", "priority: 20\nstages: {s: {uses: noop, with: {v: 1}}}\n");
  world.daemon.start();
  world.submit({"slow", "-n", "5000"});
  const auto urgent = world.submit({"fast"});
  CHECK(world.daemon.wait_for_end(std::stoll(urgent)).at("state") == "succeeded");
  const auto told = world.submit({"slow", "--priority", "30"});
  CHECK(world.daemon.wait_for_end(std::stoll(told)).at("state") == "succeeded");
  CHECK(std::stoi(world.daemon.query("select count(*) from godwit.run_done").at(0)) < 4000);
  CHECK(world.daemon.cli({"submit", "fast", "--priority", "101"}).exit_code == 6);
  CHECK(world.daemon.cli({"submit", "fast", "--queue", "a b"}).exit_code == 6);
}

TEST_CASE("each key of a limit has its own permits, and a person can change one or all") {
  World world("limits: {'tenant:*': 1}\n");
  world.job(
      "work",
      "params: {tenant: string}\nstages:\n  s: {foreach: '${ range(1, 2) }', uses: hold, retry_safe: true, limits: "
      "{'tenant:${ params.tenant }': 1}, with: {file: '" +
          (world.jobs / "go").string() + "'}}\n");
  world.daemon.start();
  const auto acme = world.submit({"work", "-p", "tenant=acme"}),
             umbrella = world.submit({"work", "-p", "tenant=umbrella"});
  CHECK_THAT(world.why(acme, "tenant:acme"), Catch::Contains("1 of 1 permits are taken by " + acme + "/s["));
  CHECK_THAT(world.daemon.cli({"limit", "list"}).out,
             Catch::Contains("tenant:acme") && Catch::Contains("tenant:umbrella") && Catch::Contains("2 keys") &&
                 Catch::Contains("held by " + umbrella));
  CHECK(world.daemon.cli({"limit", "set", "tenant:acme", "2"}).exit_code == 0);
  CHECK(world.why(acme, "is running").find("waits for limit") == std::string::npos);
  CHECK_THAT(world.why(umbrella, "tenant:umbrella"), Catch::Contains("1 of 1 permits"));
  world.let_go("go");
  CHECK(world.daemon.wait_for_end(std::stoll(acme)).at("state") == "succeeded");
  CHECK(world.daemon.wait_for_end(std::stoll(umbrella)).at("state") == "succeeded");
}

TEST_CASE("a provider that is down is left alone for a while, and everybody can see it") {
  World world("breakers: {http.request: {failures: 3, percent: 50, pause: 1h, pause_max: 1h}}\n");
  // Nobody listens there.
  world.job("calls",
            "stages:\n  s: {foreach: '${ range(1, 20) }', parallel: 4, uses: http.request, retry_safe: true, retry: "
            "{attempts: 50, backoff: 100ms}, with: {url: 'http://127.0.0.1:1/'}}\n");
  world.daemon.start();
  const auto run = world.submit({"calls"});
  CHECK_THAT(world.why(run, "provider"),
             Catch::Contains("waits for provider 'http.request', which is not called for now") &&
                 Catch::Contains("(network)"));
  CHECK_THAT(world.daemon.cli({"plugin", "list"}).out, Catch::Contains("not called for now: http.request: "));
  CHECK(world.daemon.cli({"cancel", run}).exit_code == 0);
  CHECK(world.daemon.wait_for_end(std::stoll(run)).at("state") == "cancelled");
}
