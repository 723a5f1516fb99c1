// Goal: runs that wait for a limit, however many, keep no other job from beginning, and none of them is lost, done twice
// or forgotten. Method: an engine with a stepped clock and room for few runs in memory, and backlogs much greater than
// that.
#include <catch2/catch.hpp>
#include <map>

#include "support/engine_world.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using engine::StepCall;
using support::EngineWorld;
namespace json = base::json;

namespace {

constexpr std::size_t kRoom = 64;

std::string limited(const std::string& name, const std::string& more = {}) {
  return "job: " + name + "\nlimits: {" + name + ": 2}\nstages:\n" + more + "  slow: {uses: slow, limits: {" + name + ": 1}" +
         (more.empty() ? "" : ", needs: [first]") + "}\nresult: done\n";
}

constexpr auto kFree = "job: free\nstages:\n  only: {uses: quick}\nresult: done\n";

struct World : EngineWorld {
  explicit World(base::Duration slow) : EngineWorld({.active_runs_max = kRoom, .steps_in_flight_max = kRoom}) {
    plugin("slow", {[this](const StepCall& call) {
                      ++calls[call.run];
                      return support::succeed("1");
                    },
                    [slow](const StepCall&) { return slow; }});
    plugin("quick", {[](const StepCall&) { return support::succeed("1"); }, [](const StepCall&) { return 1ms; }});
  }
  std::map<model::RunId, int> calls;

  std::vector<model::RunId> submit_many(const std::string& yaml, std::size_t count) {
    std::vector<model::RunId> runs;
    engine->submit_many({.text = yaml, .file = "t.yaml"}, std::vector<json::object>(count), {},
                        [&](const engine::Result<std::vector<model::RunId>>& given) { runs = *given; });
    clock.run_posted();
    return runs;
  }
  std::string why(model::RunId run) {
    std::string text;
    engine->why(run, [&](engine::Result<json::object> answer) { text = json::serialize(answer->at("reasons")); });
    clock.run_posted();
    return text;
  }
  std::size_t in_memory() const { return engine->status().at("runs_in_memory").to_number<std::size_t>(); }
};

}  // namespace

TEST_CASE("a backlog that waits for a limit does not keep other jobs out of memory") {
  World world(1h);
  const std::string who = GENERATE("one job", "many jobs", "a job whose runs have begun", "a job whose provider is down");
  CAPTURE(who);
  if (who == "one job") world.submit_many(limited("a"), 1000);
  if (who == "many jobs")
    for (const char* name : {"a", "b", "c", "d", "e"}) world.submit_many(limited(name), 200);
  if (who == "a job whose runs have begun") world.submit_many(limited("a", "  first: {uses: quick}\n"), 1000);
  if (who == "a job whose provider is down") {
    world.plugin("down", {[](const StepCall&) { return support::fail("http_503", true); }, [](const StepCall&) { return 1ms; }});
    world.submit_many("job: a\nstages:\n  only: {uses: down, retry: {attempts: 100, backoff: 1h}}\n", 1000);
  }
  world.clock.advance(5s);
  CHECK(world.in_memory() < kRoom);
  const auto free = world.submit(kFree);
  world.clock.advance(2s);
  CHECK(world.result(free) == "\"done\"");
}

TEST_CASE("what was set aside comes in its order, once, and without a pause") {
  World world(1s);
  const auto runs = world.submit_many(limited("a"), 1000);
  world.clock.advance(3s);
  CHECK(world.in_memory() < kRoom);
  const auto queue = world.queue("job:a");
  REQUIRE(!queue.empty());
  CHECK(queue.at("waiting").to_number<std::size_t>() > 900);
  CHECK(world.why(runs.back()).find("waits for its turn in queue 'job:a'") != std::string::npos);
  world.clock.advance(250s - 3s);
  CHECK(world.calls.size() >= 490);
  CHECK(world.calls.size() <= 500);
  CHECK(world.calls.rbegin()->first <= runs[499]);
  world.run_to_end();
  CHECK(world.done() == 1000);
  CHECK(std::all_of(world.calls.begin(), world.calls.end(), [](const auto& made) { return made.second == 1; }));
  // It has no queue of its own any more.
  const auto last = world.submit(limited("a"));
  world.run_to_end();
  CHECK(world.result(last) == "\"done\"");
  CHECK(world.queue("job:a").empty());
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a crowd has as many at work as its limit lets through") {
  World world(1s);
  world.submit_many("job: a\nlimits: {many: 40}\nstages:\n  slow: {uses: slow, limits: {many: 1}}\n", 1000);
  world.clock.advance(27s);
  CHECK(world.done() == 1000);
  CHECK(world.queue("job:a").empty());
}

TEST_CASE("a crash and a cancel find what was set aside") {
  World world(1s);
  const auto runs = world.submit_many(limited("a"), 300);
  world.clock.advance(3s);
  REQUIRE(!world.queue("job:a").empty());
  const auto cancel = [&](model::RunId run) {
    bool done = false;
    world.engine->cancel(run, {0, "ann", {}}, [&](const engine::Result<engine::Nothing>& ended) { done = bool(ended); });
    world.clock.advance(1ms);
    CHECK(done);
  };
  cancel(runs[200]);
  CHECK(world.result(runs[200]).starts_with("cancelled"));
  std::mt19937_64 random(7);
  world.crash(random);
  world.start();
  world.clock.advance(2s);
  cancel(runs[250]);
  world.run_to_end();
  CHECK(world.done() == 300);
  CHECK(world.calls.count(runs[200]) + world.calls.count(runs[250]) == 0);
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a job that waits for runs of itself goes on when its runs crowd memory") {
  World world(1s);
  world.job("nested",
            "job: nested\nparams: {depth: integer}\nlimits: {few: 2}\nstages:\n"
            "  work: {uses: slow, limits: {few: 1}}\n"
            "  below: {run: nested, needs: [work], when: '${ params.depth > 0 }', with: {depth: '${ params.depth - 1 }'}}\n");
  world.engine->submit_many({.job = "nested"}, std::vector<json::object>(200, {{"depth", 2}}), {},
                            [](const engine::Result<std::vector<model::RunId>>& given) { REQUIRE(given); });
  world.clock.advance(3s);
  CHECK(!world.queue("job:nested").empty());
  world.run_to_end();
  CHECK(world.done() == 600);
  CHECK(world.memory.runs.size() == 600);
  CHECK(world.memory.faults.empty());
}
