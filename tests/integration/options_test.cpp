// Goal: what a job says of its runs is kept by the store: labels find them, unique ones are alone, and those that are
// not to be kept are deleted. Method: the real daemon and its database, SQL as an application uses it.
#include <catch2/catch.hpp>
#include <fstream>
#include <thread>

#include "support/daemon_process.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::DaemonProcess;
namespace json = base::json;

TEST_CASE("labels, unique runs, stages of a subset and deletion, from submit to restart") {
  support::TempDir jobs;
  std::ofstream(jobs / "job.yaml")
      << "job: one\nparams: {t: string}\nlabels: {tenant: '${ params.t }'}\npriority: 3\nretain: 1s\nunique: '${ "
         "params.t "
         "}'\nstages:\n  a: {uses: noop, with: {v: 1}}\n  b: {needs: [a], wait_signal: go}\n";
  DaemonProcess daemon({.job_dirs = {jobs.path().string()}});
  daemon.start();
  const auto submit = [&](const std::string& tenant, json::object more = {}) {
    more["job"] = "one";
    more["params"] = json::object{{"t", tenant}};
    return daemon.call("run.submit", std::move(more)).at("run").to_number<std::int64_t>();
  };
  const auto first = submit("a");
  const auto other = submit("b");
  const auto refused = daemon.cli({"submit", "one", "-p", "t=a"});
  CHECK(refused.exit_code == 6);
  CHECK_THAT(refused.err, Catch::Contains("run " + std::to_string(first) + " of job 'one' is for the same"));
  const auto listed = daemon.cli({"--quiet", "list", "--label", "tenant=b"});
  CHECK(listed.out == std::to_string(other) + "\n");
  CHECK(daemon.cli({"--quiet", "list", "--label", "tenant=b", "--state", "succeeded"}).out.empty());
  CHECK(daemon.call("run.show", {{"run", first}}).at("options").at("priority") == 3);

  const auto by_sql = std::stoll(daemon.query("select godwit.submit('one', '{\"t\": \"a\"}')").at(0));
  const auto end = daemon.wait_for_end(by_sql);
  CHECK(end.at("error").at("code").as_string() == "refused");

  REQUIRE(daemon.cli({"signal", std::to_string(first), "go"}).exit_code == 0);
  daemon.wait_for_end(first);
  const auto again = submit("a", {{"only", {"a"}}});
  CHECK(again > first);
  daemon.wait_for_end(again);
  CHECK(daemon.query("select state from godwit.steps where run = " + std::to_string(again) + " and path = 'b'").at(0) ==
        "skipped");
  CHECK_THAT(daemon.cli({"submit", "one", "-p", "t=c", "--stop-after", "z"}).err, Catch::Contains("no stage 'z'"));

  std::this_thread::sleep_for(1100ms);
  daemon.kill();
  daemon.start();
  for (int i = 0; i < 200 && daemon.query("select count(*) from godwit.run")[0] != "2"; ++i)
    std::this_thread::sleep_for(50ms);
  CHECK(daemon.query("select string_agg(id::text, ' ' order by id) from godwit.run")[0] ==
        std::to_string(other) + " " + std::to_string(by_sql));
  CHECK(daemon.query("select count(*) from godwit.step where run = " + std::to_string(first))[0] == "0");
  CHECK(daemon.cli({"show", std::to_string(first)}).exit_code == 3);
}

TEST_CASE("a waiting run moves to another version, with PostgreSQL and the command line") {
  support::TempDir jobs;
  const auto write = [&](int value) {
    std::ofstream(jobs / "m.yaml")
        << "job: m\nstages:\n  a: {uses: noop, with: {v: 1}}\n  w: {needs: [a], wait_signal: go}\n"
        << "  b: {needs: [w], uses: noop, with: {v: " << value << "}}\nresult: '${ stages.b.v }'\n";
  };
  write(2);
  DaemonProcess daemon({.job_dirs = {jobs.path().string()}});
  daemon.start();
  const auto run = daemon.call("run.submit", {{"job", "m"}}).at("run").to_number<std::int64_t>();
  const std::string number = std::to_string(run);
  for (int i = 0; i < 200 && daemon.query("select count(*) from godwit.waits")[0] != "1"; ++i)
    std::this_thread::sleep_for(50ms);
  write(3);
  daemon.call("daemon.reload");
  const auto dry = daemon.cli({"run", "migrate", number, "--dry"});
  INFO(dry.out << dry.err);
  CHECK(dry.exit_code == 0);
  CHECK_THAT(dry.out, Catch::Contains("goes on with w") && Catch::Contains("Nothing was changed"));
  CHECK_THAT(daemon.cli({"run", "migrate", number}).out, Catch::Contains("The run goes on with that version"));
  daemon.kill();
  daemon.start();
  REQUIRE(daemon.cli({"signal", number, "go"}).exit_code == 0);
  CHECK(daemon.wait_for_end(run).at("result") == 3);
}

TEST_CASE("a submit has no more parameters than control.submit_max says") {
  support::TempDir jobs;
  std::ofstream(jobs / "p.yaml") << "job: p\nparams: {t: string}\nstages:\n  a: {uses: noop, with: {v: 1}}\n";
  DaemonProcess daemon({.settings = "control: {submit_max: 1KiB}\n", .job_dirs = {jobs.path().string()}});
  daemon.start();
  const auto refused = daemon.cli({"submit", "p", "-p", "t=" + std::string(1017, 'x')});
  CHECK(refused.exit_code == 6);
  CHECK_THAT(refused.err,
             Catch::Contains("have 1025 bytes, and at most 1024 are taken") && Catch::Contains("control.submit_max"));
  CHECK(daemon.cli({"submit", "p", "-p", "t=" + std::string(1016, 'x'), "--wait"}).exit_code == 0);
}
