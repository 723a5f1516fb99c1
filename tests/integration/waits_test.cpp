// Goal: steps that wait, and statements that are part of their step, keep their promises with the real database and the
// real command line, also when the daemon is killed. Method: one daemon for each case, SQL as an application uses it.
#include <catch2/catch.hpp>
#include <fstream>
#include <thread>

#include "support/daemon_process.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::DaemonProcess;
namespace json = base::json;

namespace {

std::int64_t submit(DaemonProcess& daemon, const std::string& yaml, json::object params = {}) {
  return daemon.call("run.submit", {{"text", yaml}, {"file", "t.yaml"}, {"params", std::move(params)}})
      .at("run")
      .to_number<std::int64_t>();
}

// Waits until the query gives this; false when it does not come to that.
bool comes_to(DaemonProcess& daemon, const std::string& sql, const std::string& wanted) {
  for (int i = 0; i < 600; ++i) {
    const auto rows = daemon.query(sql);
    if (rows.size() == 1 && rows[0] == wanted) return true;
    std::this_thread::sleep_for(50ms);
  }
  return false;
}

std::string state_of(std::int64_t run) {
  return "select state from godwit.runs where run = " + std::to_string(run);
}

constexpr auto kGate = R"(
job: gate
stages:
  before: {uses: noop, with: {n: 1}}
  gate: {needs: [before], approve: {text: "publish?", within: 24h}}
  go: {needs: [gate], wait_signal: go}
result: {by: "${ stages.gate.comment }", payload: "${ stages.go.payload }"}
)";

constexpr auto kRows = R"(
job: rows
params: {n: integer}
stages:
  put:
    foreach: "${ range(1, params.n) }"
    uses: sql.exec
    with:
      statement: insert into public.things (n, text, more) values ($1, $2, $3::jsonb) returning n, more
      parameters: ["${ item }", "it's ${ item }", {a: ["${ item }"]}]
result: {last: "${ stages.put.items[params.n].output.rows[1] }", count: "${ stages.put.succeeded }"}
)";

}  // namespace

TEST_CASE("a run that waits rests in the store, survives a kill, and goes on by approval and by a signal in SQL") {
  DaemonProcess daemon;
  daemon.start();
  const auto run = submit(daemon, kGate);
  const std::string number = std::to_string(run);
  REQUIRE(comes_to(daemon, state_of(run), "waiting"));
  // It leaves memory when the engine has heard that this is stored.
  const auto resting = [&] { return daemon.call("daemon.status").at("engine").at("runs_resting").to_number<int>(); };
  for (int i = 0; i < 600 && resting() != 1; ++i) std::this_thread::sleep_for(50ms);
  CHECK(resting() == 1);
  CHECK_THAT(daemon.cli({"why", number}).out, Catch::Contains("gate waits for approval"));
  daemon.kill();
  daemon.start();
  CHECK(resting() == 1);
  const auto wrong = daemon.cli({"approve", number, "gat"});
  CHECK(wrong.exit_code == 3);
  CHECK_THAT(wrong.err, Catch::Contains("these wait: gate"));
  const auto approved = daemon.cli({"approve", number, "gate", "--comment", "fine"});
  INFO(approved.err);
  REQUIRE(approved.exit_code == 0);
  REQUIRE(comes_to(daemon, "select kind from godwit.waits where run = " + number, "signal"));
  daemon.query("begin; select godwit.signal(" + number + ", 'go', '[1]'); rollback");
  daemon.query("select godwit.signal(" + number + ", 'go', '{\"n\": 5}'::jsonb)");
  const auto end = daemon.wait_for_end(run);
  CHECK(json::serialize(end.at("result")) == R"({"by":"fine","payload":{"n":5}})");
  CHECK(daemon.query("select count(*) from godwit.signal")[0] == "0");
  CHECK(daemon.query("select count(*) from godwit.signal_inbox")[0] == "0");
  CHECK_THAT(daemon.cli({"signal", number, "go"}).err, Catch::Contains("already ended"));
  CHECK_THAT(daemon.cli({"audit"}).out, Catch::Contains("run.approve"));
}

TEST_CASE("no signal decides for those who may, and one that cannot be used fails its step and nothing else") {
  DaemonProcess daemon;
  daemon.start();
  const auto gate = submit(daemon, kGate);
  const std::string number = std::to_string(gate);
  REQUIRE(comes_to(daemon, state_of(gate), "waiting"));
  const auto sent = daemon.cli({"signal", number, "approve:gate", R"({"approved": true, "comment": ""})"});
  CHECK(sent.exit_code == 6);
  CHECK_THAT(sent.err, Catch::Contains("would be a decision on a step"));
  CHECK_THROWS_WITH(daemon.query("select godwit.signal(" + number + ", 'approve:gate', '1')"),
                    Catch::Contains("would be a decision on a step"));
  // As an earlier version let it through.
  daemon.query(
      "insert into godwit.signal_inbox (number, run, name, payload, sent_by) values (nextval('godwit.run_number'), " +
      number + ", 'approve:gate', '1', 'ann')");
  const auto deep = submit(daemon, "job: deep\nstages:\n  go: {wait_signal: go}\n");
  REQUIRE(comes_to(daemon, state_of(deep), "waiting"));
  daemon.query("select godwit.signal(" + std::to_string(deep) + ", 'go', repeat('[', 70) || repeat(']', 70))");
  const auto end = daemon.wait_for_end(deep);
  CHECK(end.at("state") == "failed");
  CHECK_THAT(json::serialize(end.at("error")), Catch::Contains("the payload of signal 'go' cannot be used"));
  REQUIRE(comes_to(daemon, state_of(gate), "waiting"));
  CHECK(daemon.cli({"approve", number, "gate"}).exit_code == 0);
  REQUIRE(comes_to(daemon, "select kind from godwit.waits where run = " + number, "signal"));
}

TEST_CASE("a signal that comes first is kept, and a short sleep ends in time") {
  DaemonProcess daemon;
  daemon.start();
  const auto run = submit(daemon,
                          "job: s\nstages:\n  nap: {sleep: 10s}\n  go: {needs: [nap], wait_signal: go}\nresult: '${ "
                          "stages.go.payload }'\n");
  const auto sent = daemon.cli({"signal", std::to_string(run), "go", "plain text"});
  INFO(sent.err);
  REQUIRE(sent.exit_code == 0);
  REQUIRE(comes_to(daemon, state_of(run), "waiting"));
  CHECK(daemon.wait_for_end(run).at("result").as_string() == "plain text");
}

TEST_CASE("a run of another job hands on its result, and ends with its parent") {
  support::TempDir jobs;
  std::ofstream(jobs / "child.yaml")
      << "job: child\nparams: {time: string}\nstages:\n  nap: {sleep: '${ params.time }'}\nresult: done\n";
  std::ofstream(jobs / "parent.yaml")
      << "job: parent\nparams: {time: string}\nstages:\n  c: {run: child, with: {time: '${ params.time }'}}\n";
  DaemonProcess daemon({.job_dirs = {jobs.path().string()}});
  daemon.start();
  const auto quick =
      daemon.call("run.submit", {{"job", "parent"}, {"params", {{"time", "4s"}}}}).at("run").to_number<std::int64_t>();
  CHECK(daemon.wait_for_end(quick).at("result").as_string() == "done");
  const auto slow =
      daemon.call("run.submit", {{"job", "parent"}, {"params", {{"time", "9h"}}}}).at("run").to_number<std::int64_t>();
  REQUIRE(comes_to(daemon, state_of(slow), "waiting"));
  daemon.kill();
  daemon.start();
  REQUIRE(daemon.cli({"cancel", std::to_string(slow)}).exit_code == 0);
  CHECK(daemon.wait_for_end(slow).at("state").as_string() == "cancelled");
  CHECK(comes_to(daemon, "select state from godwit.runs where parent = " + std::to_string(slow), "cancelled"));
}

TEST_CASE("the rows of sql.exec are there exactly once, however often the daemon is killed") {
  DaemonProcess daemon;
  daemon.start();
  daemon.query("create table public.things (n integer, text text, more jsonb)");
  const auto run = submit(daemon, kRows, {{"n", 400}});
  for (int kill = 0; kill < 3; ++kill) {
    comes_to(daemon, "select count(*) > " + std::to_string(kill * 100) + " from public.things", "t");
    daemon.kill();
    daemon.start();
  }
  const auto end = daemon.wait_for_end(run);
  CHECK(json::serialize(end.at("result")) == R"({"last":{"n":400,"more":{"a":[400]}},"count":400})");
  CHECK(daemon.query("select count(*) || ' ' || count(distinct n) || ' ' || min(text) from public.things")[0] ==
        "400 400 it's 1");
}

TEST_CASE("a statement that the database refuses fails its own step and nobody else's") {
  DaemonProcess daemon;
  daemon.start();
  daemon.query("create table public.things (n integer unique)");
  const auto step = [](const std::string& statement) {
    return "job: one\nstages:\n  put: {uses: sql.exec, with: {statement: \"" + statement + "\"}}\n";
  };
  const auto good = submit(daemon, step("insert into public.things values (1)"));
  CHECK(daemon.wait_for_end(good).at("state").as_string() == "succeeded");
  const std::pair<const char*, const char*> bad[] = {{"insert into public.things values (1)", "duplicate key"},
                                                     {"insert into public.nowhere values (1)", "does not exist"},
                                                     {"commit", "begins with 'commit'"},
                                                     {"select 1; select 2", "multiple commands"},
                                                     {"insert into public.things values ($1)", "parameter"}};
  for (const auto& [statement, words] : bad) {
    const auto run = submit(daemon, step(statement));
    const auto end = daemon.wait_for_end(run);
    INFO(statement);
    CHECK(end.at("state").as_string() == "failed");
    CHECK(end.at("error").at("path").as_string() == "put");
    CHECK_THAT(std::string(end.at("error").at("message").as_string()), Catch::Contains(words));
  }
  CHECK(daemon.query("select count(*) from public.things")[0] == "1");
  CHECK(daemon.wait_for_end(submit(daemon, step("select 5 as five"))).at("state").as_string() == "succeeded");
}
