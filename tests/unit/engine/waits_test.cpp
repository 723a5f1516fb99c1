// Goal: steps that wait hold nothing, come to the same end after a crash at any moment, and lose no signal. Method: the
// engine's world with a stepped clock; every story is told once in peace and once with a crash after each step.
#include <catch2/catch.hpp>

#include "support/engine_world.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::EngineWorld;
namespace json = base::json;

namespace {

support::ScriptedRunner::Plugin echo() {
  return {[](const engine::StepCall& call) { return support::succeed(call.input); }};
}

template <typename T, typename Call>
engine::Result<T> ask(EngineWorld& world, Call call) {
  std::optional<engine::Result<T>> result;
  call([&](engine::Result<T> answer) { result.emplace(std::move(answer)); });
  for (int i = 0; i < 100 && !result; ++i) world.clock.run_posted();
  REQUIRE(result);
  return *result;
}

void signal(EngineWorld& world, model::RunId run, const std::string& name, const std::string& payload = "null") {
  const auto sent = ask<engine::Nothing>(world, [&](auto answer) {
    world.engine->signal(run, name, payload, {1, "ann", {}}, answer);
  });
  if (!sent) throw sent.error();
}

engine::Result<engine::Nothing> decide(EngineWorld& world, model::RunId run, bool approved, engine::Caller who,
                                       const std::string& step = "gate") {
  return ask<engine::Nothing>(world, [&](auto answer) {
    world.engine->approve(run, {step, approved, "so be it"}, who, answer);
  });
}

std::size_t in_memory(const EngineWorld& world) {
  return world.engine->status().at("runs_in_memory").to_number<std::size_t>();
}
std::size_t resting(const EngineWorld& world) {
  return world.engine->status().at("runs_resting").to_number<std::size_t>();
}

void crash(EngineWorld& world, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  world.crash(random);
  world.start();
}

constexpr auto kSleep = R"(
job: nap
stages:
  before: {uses: echo, with: {n: 1}}
  nap: {needs: [before], sleep: 48h}
  after: {needs: [nap], uses: echo, with: {n: 2}}
)";

constexpr auto kSignal = R"(
job: listen
stages:
  wait: {wait_signal: go}
result: "${ stages.wait.payload }"
)";

constexpr auto kGate = R"(
job: gate
stages:
  gate: {approve: {text: "publish?", who: [ann, "role:admin"], within: 24h, remind: 6h}}
result: "${ stages.gate.by }"
)";

constexpr auto kParent = R"(
job: parent
stages:
  child: {run: child, with: {n: 7}}
result: "${ stages.child.n }"
)";

constexpr auto kChild = R"(
job: child
params: {n: integer}
stages:
  work: {uses: echo, with: {n: "${ params.n * 6 }"}}
)";

}  // namespace

TEST_CASE("the progress that an ended run keeps is that of its end, in memory all the time or not") {
  EngineWorld world;
  world.plugin("echo", echo());
  const auto run = world.submit(kSleep);
  world.clock.advance(1h);
  REQUIRE(in_memory(world) == 0);
  CHECK(base::parse_json(world.run(run).progress).at("done") == 1);
  world.run_to_end();
  REQUIRE(world.run(run).done);
  const auto last = base::parse_json(world.run(run).progress);
  CHECK(last.at("done") == 3);
  CHECK(last.at("total") == 3);
}

TEST_CASE("why a run waits says first that it is paused, also of one that rests") {
  EngineWorld world;
  const auto run = world.submit(kSignal);
  world.clock.advance(1h);
  REQUIRE(in_memory(world) == 0);
  REQUIRE(ask<engine::Nothing>(world, [&](auto answer) { world.engine->pause(run, {}, answer); }));
  world.clock.advance(1h);
  const auto why = ask<json::object>(world, [&](auto answer) { world.engine->why(run, answer); });
  REQUIRE(why);
  CHECK(why->at("state") == "paused");
  CHECK(why->at("reasons").at(0).at("code") == "paused");
  CHECK(json::serialize(why->at("reasons")).find("waits for the signal 'go'") != std::string::npos);
}

TEST_CASE("a run that sleeps leaves memory and comes back when its time has come") {
  EngineWorld world;
  world.plugin("echo", echo());
  const auto run = world.submit(kSleep);
  world.clock.advance(1min);
  CHECK(in_memory(world) == 0);
  CHECK(resting(world) == 1);
  auto why = ask<json::object>(world, [&](auto answer) { world.engine->why(run, answer); });
  CHECK(why->at("state") == "waiting");
  CHECK(json::serialize(*why).find("nap sleeps until") != std::string::npos);
  world.clock.advance(47h);
  CHECK(world.result(run) == "not ended");
  world.clock.advance(1h);
  CHECK(world.result(run) == R"({"n":2})");
  CHECK(world.clock.timers() == 0);
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a sleep ends when it was to end, however often the process dies") {
  EngineWorld world;
  world.plugin("echo", echo());
  const auto run = world.submit(kSleep);
  const auto begun = world.clock.now();
  for (int life = 0; life < 40; ++life) {
    world.clock.advance(1h);
    crash(world, static_cast<std::uint64_t>(life));
    CHECK(world.result(run) == "not ended");
  }
  world.run_to_end();
  REQUIRE(world.result(run) == R"({"n":2})");
  CHECK(world.run(run).done->at - begun < 48h + 1min);
  CHECK(world.runner->sent.size() <= 1);
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a short sleep stays in memory") {
  EngineWorld world;
  const auto run = world.submit("job: s\nstages:\n  nap: {sleep: 2s}\n");
  world.clock.advance(1900ms);
  CHECK(in_memory(world) == 1);
  world.clock.advance(1s);
  CHECK(world.run(run).done->state == model::RunState::succeeded);
}

TEST_CASE("a signal wakes its run, also when it came before the wait or while the process was away") {
  EngineWorld world;
  world.plugin("echo", echo());
  const auto resting_run = world.submit(kSignal);
  world.clock.advance(1min);
  REQUIRE(resting(world) == 1);
  signal(world, resting_run, "other");
  world.clock.advance(1min);
  CHECK(world.result(resting_run) == "not ended");
  signal(world, resting_run, "go", "{\"n\":1}");
  world.clock.advance(1min);
  CHECK(world.result(resting_run) == R"({"n":1})");

  const auto early = world.submit(
      "job: e\nstages:\n  a: {uses: echo}\n  b: {needs: [a], wait_signal: go}\nresult: '${ stages.b.payload }'\n");
  world.clock.run_posted();
  const auto slow = world.submit(kSignal);
  signal(world, slow, "go", "5");
  world.clock.advance(1min);
  CHECK(world.result(slow) == "5");
  CHECK(world.result(early) == "not ended");

  crash(world, 1);
  world.memory.signal_inbox.push_back({early, {9001, "go", "[3]", "app", world.clock.now()}, true});
  world.store->notify();
  world.clock.advance(1min);
  CHECK(world.result(early) == "[3]");
  CHECK(world.memory.signal_inbox.empty());
  CHECK_THROWS_WITH(signal(world, early, "go"), Catch::Contains("already ended"));
  CHECK_THROWS_WITH(signal(world, model::RunId(777), "go"), Catch::Contains("there is no run 777"));
  CHECK(world.memory.faults.empty());
}

TEST_CASE("no signal is lost or taken twice, whenever the process dies") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    EngineWorld world;
    const auto run = world.submit(
        "job: two\nstages:\n  a: {wait_signal: go}\n  b: {needs: [a], wait_signal: go}\nresult: ['${ stages.a.payload "
        "}', '${ "
        "stages.b.payload }']\n");
    std::mt19937_64 random(seed);
    const auto wander = [&] {
      for (auto steps = random() % 12; steps > 0; --steps)
        if (!world.clock.run_one()) world.clock.advance(700ms);
      if (random() % 2) {
        world.crash(random);
        world.start();
      }
      world.clock.advance(static_cast<std::int64_t>(random() % 3) * 1s);
    };
    wander();
    signal(world, run, "go", "1");
    wander();
    signal(world, run, "go", "2");
    wander();
    world.run_to_end();
    INFO("seed " << seed);
    CHECK(world.result(run) == "[1,2]");
    CHECK(world.run(run).signals.empty());
    CHECK(world.memory.faults.empty());
  }
}

TEST_CASE("a wait for a signal ends by its timeout, as a failure or not") {
  EngineWorld world;
  const auto fails = world.submit("job: a\nstages:\n  s: {wait_signal: {name: go, timeout: 1h}}\n");
  const auto goes_on = world.submit(
      "job: b\nstages:\n  s: {wait_signal: {name: go, timeout: 1h, otherwise: go_on}}\nresult: {came: '${ stages.s "
      "}'}\n");
  world.clock.advance(59min);
  CHECK(world.result(fails) == "not ended");
  world.clock.advance(2min);
  CHECK(world.run(fails).done->failure->code == "timeout");
  CHECK(world.result(goes_on) == R"({"came":null})");
}

TEST_CASE("only those who may decide, and their decision is kept in the audit") {
  EngineWorld world;
  const auto run = world.submit(kGate);
  world.clock.advance(1min);
  REQUIRE(resting(world) == 1);
  const auto denied = decide(world, run, true, {5, "bob", {"viewer", "operator"}});
  REQUIRE_FALSE(denied);
  CHECK(denied.error().kind() == base::ErrorKind::denied);
  const auto wrong = decide(world, run, true, {4, "ann", {}}, "gat");
  REQUIRE_FALSE(wrong);
  CHECK(std::string(wrong.error().what()).find("no step 'gat'") != std::string::npos);
  CHECK(world.result(run) == "not ended");
  REQUIRE(decide(world, run, true, {0, "root", {"viewer", "operator", "admin"}}));
  world.clock.advance(1min);
  CHECK(world.result(run) == R"("root")");
  REQUIRE(world.memory.audit.size() == 1);
  CHECK(world.memory.audit[0].command == "run.approve");
  CHECK(world.memory.audit[0].detail.find("so be it") != std::string::npos);
}

TEST_CASE("a rejection fails the step, and so does silence; with go_on both are an answer") {
  EngineWorld world;
  const auto rejected = world.submit(kGate);
  world.clock.advance(1min);
  REQUIRE(decide(world, rejected, false, {4, "ann", {}}));
  world.clock.advance(1min);
  CHECK(world.result(rejected) == "failed rejected: rejected by ann: so be it");
  const auto silent = world.submit(kGate);
  world.clock.advance(25h);
  CHECK(world.run(silent).done->failure->code == "timeout");
  const auto soft = world.submit(
      "job: soft\nstages:\n  gate: {approve: {within: 1h, otherwise: go_on}}\nresult: '${ stages.gate.approved }'\n");
  world.clock.advance(2h);
  CHECK(world.result(soft) == "false");
}

TEST_CASE("an approval that nobody decides is told again") {
  EngineWorld world;
  const auto run = world.submit(kGate);
  int told = 0;
  world.engine->follow(run, engine::Interest::everything, [&](const json::object& event) { told += event.at("event") == "approval"; });
  world.clock.advance(23h);
  CHECK(told == 3);  // after 6, 12 and 18 hours: the first time nobody followed yet
}

TEST_CASE("a run of another job is a step: its result is the output") {
  EngineWorld world;
  world.plugin("echo", echo());
  world.job("child", kChild);
  const auto run = world.submit(kParent);
  world.run_to_end();
  CHECK(world.result(run) == "42");
  const auto& child = world.run(*world.run(run).waits.at("child").child);
  CHECK(child.submitted.parent == run);
  CHECK(child.submitted.parent_path == "child");
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a child is started once and its end is not missed, whenever the process dies") {
  for (std::uint64_t seed = 0; seed < 80; ++seed) {
    EngineWorld world;
    auto slow = echo();
    slow.takes = [&](const auto&) { return seed % 2 ? 5s : 10ms; };
    world.plugin("echo", slow);
    world.job("child", kChild);
    const auto run = world.submit(kParent);
    std::mt19937_64 random(seed);
    for (int lives = 0; lives < 4; ++lives) {
      for (auto steps = random() % 15; steps > 0; --steps)
        if (!world.clock.run_one()) world.clock.advance(400ms);
      world.crash(random);
      world.start();
    }
    world.run_to_end();
    INFO("seed " << seed);
    CHECK(world.result(run) == "42");
    CHECK(world.memory.runs.size() == 2);
    CHECK(world.memory.faults.empty());
  }
}

TEST_CASE("a child's failure is the step's, and a child ends with its parent") {
  EngineWorld world;
  world.plugin("echo", {[](const engine::StepCall&) { return support::fail("broken"); }});
  world.job("child", kChild);
  const auto failed = world.submit(kParent);
  world.run_to_end();
  CHECK(world.result(failed) == "failed broken: run 2 failed at work: for the test");

  auto slow = echo();
  slow.takes = [](const auto&) { return 100h; };
  world.plugin("echo", slow);
  for (const bool crashes : {false, true}) {
    const auto parent = world.submit(kParent);
    world.clock.advance(1min);
    if (crashes) crash(world, 3);
    CHECK(in_memory(world) == 1);  // the child; its parent rests
    REQUIRE(ask<engine::Nothing>(world, [&](auto answer) { world.engine->cancel(parent, {7, "ann", {}}, answer); }));
    world.clock.advance(1min);
    CHECK(world.run(parent).done->state == model::RunState::cancelled);
    const auto child = *world.run(parent).waits.at("child").child;
    REQUIRE(world.run(child).done);
    CHECK(world.run(child).done->state == model::RunState::cancelled);
    CHECK(world.run(child).done->failure->message == "cancelled by run " + model::text(parent));
  }
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a job that runs itself for ever is stopped by its depth") {
  EngineWorld world;
  world.job("loop", "job: loop\nstages:\n  again: {run: loop}\n");
  const auto run = world.submit("job: top\nstages:\n  again: {run: loop}\n");
  world.run_to_end();
  CHECK(world.result(run).find("nested more than 16 deep") != std::string::npos);
  CHECK(world.memory.runs.size() == 17);
}

TEST_CASE("a statement is done once with its step; what the database refuses is the step's failure") {
  EngineWorld world;
  world.plugin("echo", echo());
  world.store->statements = [](const engine::SqlStep& step) -> std::string {
    if (step.parameters.at(0) == "13") throw base::refused("ERROR: unlucky (23514)");
    return R"({"count":1,"rows":[]})";
  };
  constexpr auto kJob =
      "job: rows\nparams: {n: integer}\nstages:\n  put: {uses: sql.exec, with: {statement: 'insert into t values "
      "($1)', "
      "parameters: ['${ params.n }']}}\nresult: '${ stages.put.count }'\n";
  const auto good = world.submit(kJob, {{"n", 1}});
  const auto bad = world.submit(kJob, {{"n", 13}});
  world.run_to_end();
  CHECK(world.result(good) == "1");
  CHECK(world.result(bad) == "failed sql: ERROR: unlucky (23514)");
  CHECK(world.run(bad).done->failed_path == "put");
  CHECK(world.memory.executed.at("insert into t values ($1)") == 1);
  CHECK(world.memory.faults.empty());
}

TEST_CASE("why says of a statement that it is in the database, at every moment of it") {
  EngineWorld world;
  world.store->statements = [](const engine::SqlStep&) { return R"({"count":1,"rows":[]})"; };
  model::RunId run{};
  world.engine->submit({.text = "job: s\nstages:\n  put: {uses: sql.exec, with: {statement: 'select 1'}}\n"}, {},
                       [&](const engine::Result<engine::SubmitReceipt>& receipt) { run = receipt->run; });
  std::string said;
  while (world.clock.run_one() && (run == model::RunId{} || !world.run(run).done))
    if (run != model::RunId{})
      world.engine->why(run, [&](const engine::Result<json::object>& why) { said += json::serialize(*why); });
  CHECK(said.find("put has been running in the database since") != std::string::npos);
}

TEST_CASE("more runs than fit in memory can rest, and all wake") {
  EngineWorld world({.active_runs_max = 8});
  std::vector<model::RunId> runs;
  for (int i = 0; i < 200; ++i) runs.push_back(world.submit("job: nap\nstages:\n  nap: {sleep: 48h}\n"));
  world.clock.advance(1h);
  CHECK(resting(world) == 200);
  CHECK(in_memory(world) == 0);
  crash(world, 9);
  world.clock.advance(1h);
  CHECK(resting(world) == 200);
  world.run_to_end();
  for (const auto run : runs) CHECK(world.run(run).done->state == model::RunState::succeeded);
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a paused run sleeps on, and goes on only when it is resumed") {
  EngineWorld world;
  world.plugin("echo", echo());
  const auto run = world.submit(kSleep);
  world.clock.advance(1h);
  REQUIRE(ask<engine::Nothing>(world, [&](auto answer) { world.engine->pause(run, {}, answer); }));
  world.clock.advance(100h);
  CHECK(world.result(run) == "not ended");
  REQUIRE(ask<engine::Nothing>(world, [&](auto answer) { world.engine->resume(run, {}, answer); }));
  world.run_to_end();
  CHECK(world.result(run) == R"({"n":2})");
}

TEST_CASE("a long backoff rests too") {
  EngineWorld world;
  world.plugin("flaky", {[](const engine::StepCall& call) {
                 return call.attempt == 1 ? support::fail("busy", true) : support::succeed("2");
               }});
  const auto run =
      world.submit("job: r\nstages:\n  s: {uses: flaky, retry: {attempts: 2, backoff: 5h, max: 9h, jitter: 0}}\n");
  world.clock.advance(1h);
  CHECK(in_memory(world) == 0);
  CHECK(world.engine->status().at("steps_in_flight") == 0);
  world.clock.advance(5h);
  CHECK(world.result(run) == "2");
}
