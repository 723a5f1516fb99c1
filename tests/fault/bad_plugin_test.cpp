// Goal: a plugin's trouble is its own. Method: each bad plugin beside a run of a good one, on the real daemon.
#include <catch2/catch.hpp>

#include "support/daemon_process.hpp"

using namespace godwit;
using support::DaemonProcess;
namespace json = base::json;

namespace {

std::int64_t submit(DaemonProcess& daemon, const std::string& name, const std::string& stage) {
  const std::string text = "job: " + name + "\nstages:\n  s: " + stage + "\n";
  return daemon.call("run.submit", {{"file", name + ".yaml"}, {"text", text}}).at("run").to_number<std::int64_t>();
}

std::string error_of(const json::object& end) {
  return json::serialize(end.at("error"));
}

}  // namespace

TEST_CASE("each bad plugin fails its own step with the cause while a neighbour's run finishes") {
  DaemonProcess daemon;
  daemon.start();
  const auto neighbour = submit(daemon, "neighbour",
                                "{foreach: '${ range(1, 300) }', parallel: 4, uses: count-search/1.search, with: {n: "
                                "'${ item }', delay_ms: 20}}");
  const auto segv = submit(daemon, "a", "{uses: segv, retry_safe: true, retry: {attempts: 1, backoff: 50ms}}");
  const auto exits = submit(daemon, "b", "{uses: exit0, retry_safe: true, retry: {attempts: 1, backoff: 50ms}}");
  const auto hangs = submit(daemon, "c", "{uses: hang, timeout: 1s, retry_safe: true}");
  const auto garbage = submit(daemon, "d", "{uses: garbage, retry_safe: true, retry: {attempts: 1, backoff: 50ms}}");
  const auto segv_end = daemon.wait_for_end(segv), exit_end = daemon.wait_for_end(exits),
             hang_end = daemon.wait_for_end(hangs), garbage_end = daemon.wait_for_end(garbage);
  for (const auto& end : {segv_end, exit_end, hang_end, garbage_end}) CHECK(end.at("state") == "failed");
  CHECK_THAT(error_of(segv_end), Catch::Contains("SIGSEGV"));
  CHECK_THAT(error_of(exit_end), Catch::Contains("exit code 0"));
  CHECK_THAT(error_of(hang_end), Catch::Contains("timeout"));
  CHECK(daemon.wait_for_end(neighbour).at("state") == "succeeded");
  // And the daemon is as good as before.
  CHECK(daemon.wait_for_end(submit(daemon, "after", "{uses: noop, with: {v: 7}}")).at("result").at("v") == 7);
}

TEST_CASE("an unsafe call whose plugin dies blocks its run with the cause") {
  DaemonProcess daemon;
  daemon.start();
  const auto run = submit(daemon, "a", "{uses: segv, retry_safe: false}");
  std::string why;
  const auto patience = base::tick() + std::chrono::seconds(60);
  while (why.find("unknown outcome") == std::string::npos && base::tick() < patience)
    why = json::serialize(daemon.call("run.why", {{"run", run}}));
  CHECK_THAT(why, Catch::Contains("unknown outcome") && Catch::Contains("SIGSEGV"));
  CHECK(daemon.cli({"cancel", std::to_string(run)}).exit_code == 0);
  CHECK(daemon.wait_for_end(run).at("state") == "cancelled");
}

TEST_CASE("a flood on stdout and stderr hurts nobody and is kept in part") {
  DaemonProcess daemon;
  daemon.start();
  const auto run = submit(daemon, "a", "{uses: noisy}");
  CHECK(daemon.wait_for_end(run).at("state") == "succeeded");
  // What it wrote comes by pipes of its own, one after the other, page by page, and is stored a moment after the outcome.
  std::string logs;
  std::int64_t after = 0;
  const auto patience = base::tick() + std::chrono::seconds(30);
  while (logs.find("\"stderr\"") == std::string::npos && base::tick() < patience) {
    const auto page = daemon.call("run.logs", {{"run", run}, {"after", after}}).as_array();
    if (!page.empty()) after = page.back().at("seq").to_number<std::int64_t>();
    logs = json::serialize(page);
  }
  CHECK_THAT(logs, Catch::Contains("stderr"));
}
