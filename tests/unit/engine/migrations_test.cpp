// Goal: a run moves to another version of its job only when what it has done fits, and only on purpose. Method: the
// engine's world, with versions of a job that differ in one thing.
#include <catch2/catch.hpp>

#include "support/engine_world.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::EngineWorld;
namespace json = base::json;

namespace {

constexpr auto kOld =
    "job: m\nstages:\n  a: {uses: echo, with: {v: 1}}\n  nap: {needs: [a], sleep: 9h}\n  b: {needs: [nap], uses: echo, "
    "with: {v: 2}}\n";

json::object migrate(EngineWorld& world, model::RunId run, bool dry) {
  std::optional<engine::Result<json::object>> report;
  world.engine->migrate(run, "latest", dry, {7, "ann", {}},
                        [&](engine::Result<json::object> given) { report.emplace(std::move(given)); });
  for (int i = 0; i < 50 && !report; ++i) world.clock.run_posted();
  REQUIRE(report);
  if (!*report) throw report->error();
  return **report;
}

}  // namespace

TEST_CASE("a run goes on with a version that what it has done fits into") {
  EngineWorld world;
  world.plugin("echo", {[](const engine::StepCall& call) { return support::succeed(call.input); }});
  const auto run = world.submit(kOld);
  world.clock.advance(1h);
  std::string text = kOld;
  world.job("m", text.replace(text.find("v: 2"), 4, "v: 3"));
  const auto report = migrate(world, run, true);
  CHECK(report.at("done") == false);
  CHECK(report.at("unknown").as_array().empty());
  CHECK(json::serialize(report.at("next")) == R"(["nap"])");
  CHECK(world.memory.audit.empty());
  CHECK(migrate(world, run, false).at("done") == true);
  CHECK(world.memory.audit.at(0).command == "run.migrate");
  std::mt19937_64 random(1);
  world.crash(random);
  world.start();
  world.run_to_end();
  CHECK(world.result(run) == R"({"v":3})");
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a version without what was done is shown, and changes nothing") {
  EngineWorld world;
  world.plugin("echo", {[](const engine::StepCall& call) { return support::succeed(call.input); }});
  const auto run = world.submit(kOld);
  world.clock.advance(1h);
  world.job("m", "job: m\nstages:\n  other: {uses: echo}\n");
  const auto report = migrate(world, run, false);
  CHECK(report.at("done") == false);
  CHECK(json::serialize(report.at("unknown")) == R"(["a"])");
  CHECK(json::serialize(report.at("next")) == R"(["other"])");
  world.run_to_end();
  CHECK(world.result(run) == R"({"v":2})");
}

TEST_CASE("a run of which something is being executed stays as it is") {
  EngineWorld world;
  world.plugin("echo", {[](const engine::StepCall& call) { return support::succeed(call.input); }});
  world.runner->hold = {"a"};
  const auto run = world.submit(kOld);
  world.clock.advance(1s);
  world.job("m", kOld);
  CHECK_THROWS_WITH(migrate(world, run, false), Catch::Contains("are under way"));
}

TEST_CASE("a run that goes on while it is looked at has no step done by two versions") {
  constexpr auto kWaiting =
      "job: m\nstages:\n  go: {wait_signal: go}\n  b: {needs: [go], uses: echo, with: {v: 2}}\n";
  for (int hops = 0; hops < 30; ++hops) {
    CAPTURE(hops);
    EngineWorld world;
    world.plugin("echo", {[](const engine::StepCall& call) { return support::succeed(call.input); },
                          [](const engine::StepCall&) { return 1s; }});
    const auto run = world.submit(kWaiting);
    world.job("m", kWaiting);
    world.engine->signal(run, "go", "null", {}, [](const engine::Result<engine::Nothing>&) {});
    for (int i = 0; i < hops; ++i) world.clock.run_one();
    bool answered = false;
    world.engine->migrate(run, "latest", false, {7, "ann", {}},
                          [&](const engine::Result<json::object>&) { answered = true; });
    world.run_to_end();
    CHECK(answered);
    CHECK(world.result(run) == R"({"v":2})");
    CHECK(world.runner->sent.size() == 1);
    CHECK(world.memory.faults.empty());
  }
}

TEST_CASE("what has begun and would be done otherwise is named, and what waits becomes nothing else") {
  EngineWorld world;
  world.plugin("echo", {[](const engine::StepCall& call) { return support::succeed(call.input); }});
  const auto run = world.submit(kOld);
  world.clock.advance(1h);
  world.job("m",
            "job: m\nstages:\n  a: {uses: echo, with: {v: 7}, retry: {attempts: 2}}\n  nap: {needs: [a], sleep: 9h}\n"
            "  b: {needs: [nap], uses: echo, with: {v: 2}}\n");
  const auto report = migrate(world, run, true);
  CHECK(json::serialize(report.at("changed")) == R"(["a"])");
  CHECK(report.at("problem").is_null());
  world.job("m", "job: m\nstages:\n  a: {uses: echo, with: {v: 1}}\n  nap: {needs: [a], wait_signal: go}\n");
  const auto other = migrate(world, run, false);
  CHECK(json::serialize(other.at("changed")) == R"(["nap"])");
  CHECK(other.at("problem") ==
        "nap has begun as a sleep and is a wait for a signal in that version; give that stage another name");
  CHECK(other.at("done") == false);
  world.run_to_end();
  CHECK(world.result(run) == R"({"v":2})");
}
