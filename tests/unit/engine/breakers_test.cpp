// Goal: a provider that is down is not called in vain, its steps wait for it, and come back little by little. Method:
// an engine with a stepped clock whose provider is down for as long as the test says.
#include "engine/breakers.hpp"

#include <catch2/catch.hpp>

#include "support/engine_world.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::EngineWorld;
namespace json = base::json;

namespace {

constexpr auto kJob = R"(
job: calls
stages:
  each: {foreach: "${ range(1, 200) }", parallel: 20, uses: api, on_item_error: record, retry: {attempts: 50, backoff: 1s, max: 1s}}
result: "${ stages.each.succeeded }"
)";

struct World : EngineWorld {
  explicit World(std::map<std::string, model::BreakerSpec> breakers = {{"api", {.failures = 5, .pause = 10s}}})
      : EngineWorld({.breakers = std::move(breakers)}) {
    plugin("api", {[this](const engine::StepCall&) -> engine::StepOutcome {
                     ++called;
                     if (down && code == "crashed") return engine::StepLost{{code, "for the test", true, {}}};
                     if (down) return engine::StepFailed{{code, "for the test", true, {}}};
                     return support::succeed("1");
                   },
                   [](const engine::StepCall&) { return 100ms; }});
  }
  bool down = false;
  std::string code = "http_503";
  int called = 0;

  std::string state() const {
    const auto view = engine->breakers();
    return view.empty() ? "closed" : std::string(view[0].at("state").as_string());
  }
  std::string why(model::RunId run) {
    std::string text;
    engine->why(
        run, [&](engine::Result<json::object> answer) { text = answer->at("reasons").at(0).at("text").as_string(); });
    clock.run_posted();
    return text;
  }
};

}  // namespace

TEST_CASE("a provider that fails again and again is left alone, and its steps wait instead of failing") {
  World world;
  world.down = true;
  const auto run = world.submit(kJob);
  world.clock.advance(5s);
  CHECK(world.state() == "open");
  CHECK(world.called <= 40);  // those under way when it opened
  CHECK_THAT(world.why(run), Catch::Contains("waits for provider 'api', which is not called for now") &&
                                 Catch::Contains("went wrong (http_503); it is tried again at "));
  const int before = world.called;
  SECTION("one call after each pause, which grows") {
    world.clock.advance(10s);
    CHECK(world.called == before + 1);
    world.clock.advance(15s);
    CHECK(world.called == before + 1);
    world.clock.advance(10s);
    CHECK(world.called == before + 2);
    CHECK(world.state() == "open");
    CHECK_FALSE(world.run(run).done);
  }
  SECTION("until it is there again") {
    world.down = false;
    world.clock.advance(20s);
    CHECK(world.state() == "closed");
    CHECK(world.result(run) == "200");
  }
  SECTION("a run can be cancelled meanwhile, and another one gets through") {
    world.engine->cancel(run, {}, [](const engine::Result<engine::Nothing>& done) { REQUIRE(done); });
    world.clock.advance(1s);
    CHECK(world.run(run).done);
    const auto next = world.submit(kJob);
    world.down = false;
    world.clock.advance(60s);
    CHECK(world.result(next) == "200");
  }
}

TEST_CASE("what says nothing of the provider does not open the breaker") {
  World world;
  world.down = true;
  SECTION("that it has had enough") {
    world.code = "rate_limited";
    world.submit(kJob);
    world.clock.advance(20s);
    CHECK(world.state() == "closed");
  }
  SECTION("that its process was lost, with all calls that were under way") {
    world.code = "crashed";
    world.submit(kJob);
    world.clock.advance(1s);
    world.down = false;
    CHECK(world.state() == "closed");
  }
  SECTION("a few failures among many calls") {
    world.down = false;
    world.submit(kJob);
    world.clock.advance(500ms);
    world.down = true;
    world.clock.advance(100ms);
    world.down = false;
    world.clock.advance(5s);
    CHECK(world.state() == "closed");
  }
}

TEST_CASE("a job can want its attempts to fail while the provider is down") {
  World world;
  world.down = true;
  const auto run = world.submit(R"(
job: impatient
stages:
  each: {foreach: "${ range(1, 20) }", parallel: 5, uses: api, on_item_error: record, provider_down: fail}
result: "${ stages.each.failed }"
)");
  world.clock.advance(5s);
  CHECK(world.result(run) == "20");
  CHECK(world.called <= 10);
  CHECK(world.memory.runs.at(run).steps.at("each[19]").failure->code == "provider_down");
}

TEST_CASE("breakers are for providers, and can be turned off") {
  World world({{"*", {.failures = 1}}});
  world.down = true;
  world.submit(kJob);
  world.clock.advance(5s);
  CHECK(world.engine->breakers().empty());  // the scripted plugin is a stage
  World off({{"api", {.off = true}}});
  off.down = true;
  off.submit(kJob);
  off.clock.advance(5s);
  CHECK(off.engine->breakers().empty());
}

TEST_CASE("a probe that never comes back does not close the way for ever") {
  World world;
  world.down = true;
  const auto first = world.submit("job: one\nstages: {a: {uses: api, retry: {attempts: 20, backoff: 1s, max: 1s}}}\n");
  world.clock.advance(30s);
  CHECK(world.state() == "open");
  const auto second = world.submit("job: two\nstages: {a: {uses: api, retry: {attempts: 20, backoff: 1s}}}\n");
  world.engine->cancel(first, {}, [](const engine::Result<engine::Nothing>&) {});
  world.down = false;
  world.clock.advance(10min);
  CHECK(world.result(second) == "1");
}
