// Which steps have a place among the steps in flight, and which runs are next for one.
#include <catch2/catch.hpp>

#include "support/engine_world.hpp"

namespace godwit::engine {
namespace {

using namespace std::chrono_literals;
using support::EngineWorld;

constexpr auto kFree = "job: free\nstages:\n  only: {uses: work}\nresult: done\n";

struct World : EngineWorld {
  explicit World(std::size_t places) : EngineWorld({.steps_in_flight_max = places}) {
    plugin("work", {[](const StepCall&) { return support::succeed("1"); }, [](const StepCall&) { return 1s; }});
    plugin("long", {[](const StepCall&) { return support::succeed("1"); }, [](const StepCall&) { return 1h; }});
    plugin("down", {[](const StepCall&) { return support::fail("down", true); }});
  }
  std::string why(model::RunId run) {
    std::string text;
    engine->why(run, [&](Result<base::json::object> answer) {
      for (const auto& reason : answer->at("reasons").as_array())
        text += std::string(reason.at("text").as_string()) + "\n";
    });
    clock.run_posted();
    return text;
  }
  // How many runs had begun when the first of all made its last call.
  std::size_t begun_before_the_first_ended() const {
    const auto& sent = runner->sent;
    const auto last =
        std::find_if(sent.rbegin(), sent.rend(), [&](const auto& call) { return call.run == sent.front().run; });
    std::set<model::RunId> begun;
    for (auto call = sent.begin(); call != last.base(); ++call) begun.insert(call->run);
    return begun.size();
  }
};

}  // namespace

TEST_CASE("what waits for a limit takes no place among the steps in flight") {
  World world(2);
  world.submit(
      "job: limited\nlimits: {few: 1}\nstages:\n  a: {foreach: '${ range(1, 9) }', parallel: 9, uses: long, limits: "
      "{few: "
      "1}}\n");
  const auto free = world.submit(kFree);
  world.clock.advance(10s);
  CHECK(world.result(free) == "\"done\"");
}

TEST_CASE("what waits to be tried again takes no place among the steps in flight") {
  World world(2);
  world.submit(
      "job: unlucky\nstages:\n  a: {foreach: '${ range(1, 9) }', parallel: 9, uses: down, retry: {attempts: 5, "
      "backoff: "
      "1h}}\n");
  const auto free = world.submit(kFree);
  world.clock.advance(10s);
  CHECK(world.result(free) == "\"done\"");
}

TEST_CASE("a step that gets its limit while all places are taken waits for one and says so") {
  World world(2);
  const std::string limited =
      "job: limited\nlimits: {few: 1}\nstages:\n  only: {uses: work, limits: {few: 1}}\nresult: done\n";
  const auto first = world.submit(limited), second = world.submit(limited);
  const std::string long_job = "job: long\nstages:\n  only: {uses: long}\nresult: done\n";
  world.submit(long_job);
  world.submit(long_job);
  CHECK(world.why(second).find("waits for limit 'few'") != std::string::npos);
  world.clock.advance(2s);
  CHECK(world.result(first) == "\"done\"");
  CHECK(world.why(second).find("only waits for a place among the steps in flight") != std::string::npos);
  CHECK(world.engine->limits().front().as_object().at("used") == 1);
  world.run_to_end();
  CHECK(world.result(second) == "\"done\"");
  CHECK(world.runner->in_flight_max == 2);
}

TEST_CASE("a cancelled run gives back the limit of a step that waits for a place") {
  World world(2);
  const std::string limited =
      "job: limited\nlimits: {few: 1}\nstages:\n  only: {uses: work, limits: {few: 1}}\nresult: done\n";
  world.submit(limited);
  const auto second = world.submit(limited);
  const std::string long_job = "job: long\nstages:\n  only: {uses: long}\nresult: done\n";
  world.submit(long_job);
  world.submit(long_job);
  world.clock.advance(2s);
  world.engine->cancel(second, {0, "ann", {}}, [](const auto&) {});
  const auto third = world.submit(limited);
  world.run_to_end();
  CHECK(world.result(second).starts_with("cancelled"));
  CHECK(world.result(third) == "\"done\"");
}

TEST_CASE("what has no place among the steps in flight is left in the store, and comes when those before it wait") {
  World world(4);
  const std::string limited = GENERATE(std::string(), std::string(", limits: {few: 1}"));
  const std::string yaml = "job: many\nlimits: {few: 1}\nstages:\n  only: {uses: long" + limited + "}\n";
  world.engine->submit_many({.text = yaml, .file = "t.yaml"}, std::vector<base::json::object>(1500), {},
                            [](const auto& runs) { REQUIRE(runs); });
  world.clock.advance(1s);
  const auto in_memory = world.engine->status().at("runs_in_memory").to_number<std::size_t>();
  if (limited.empty()) {
    CHECK(in_memory <= 4 + 512);
    return;
  }
  CHECK(in_memory == 1500);
  const auto free = world.submit(kFree);
  world.clock.advance(2s);
  CHECK(world.result(free) == "\"done\"");
}

TEST_CASE("runs with short steps end before others begin, runs with long steps take turns") {
  const auto takes = GENERATE(base::Duration(1ms), base::Duration(1s));
  World world(4);
  world.plugin("work", {[](const StepCall&) { return support::succeed("1"); }, [=](const StepCall&) { return takes; }});
  const std::string chain =
      "job: chain\nstages:\n  a: {uses: work}\n  b: {uses: work, needs: [a]}\n  c: {uses: work, needs: [b]}\n";
  for (int i = 0; i < 100; ++i) world.submit(chain);
  world.run_to_end();
  CHECK(world.runner->sent.size() == 300);
  if (takes == base::Duration(1ms))
    CHECK(world.begun_before_the_first_ended() <= 12);
  else
    CHECK(world.begun_before_the_first_ended() == 100);
}

}  // namespace godwit::engine
