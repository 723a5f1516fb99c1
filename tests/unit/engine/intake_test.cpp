// Goal: a run is in memory once, with all that is known of it, however submits, refills, wake-ups and people meet.
// Method: the engine's world, in which a look at the store takes its time, and histories by a seed.
#include <catch2/catch.hpp>

#include <algorithm>

#include "support/engine_world.hpp"
#include "support/seed.hpp"

using namespace godwit;
using support::EngineWorld;

namespace {

constexpr auto kJob = "job: one\nstages:\n  only: {uses: work}\n";

// Submits runs at random moments between the posts of an engine with hardly any room, so that submits meet refills in
// every order, and gives how many runs never ended.
std::size_t lost_runs(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  EngineWorld world({.active_runs_max = 1 + random() % 2});
  world.plugin("work", {[](const engine::StepCall&) { return support::succeed("1"); },
                        [&](const engine::StepCall&) { return base::Duration(random() % 2); }});
  world.store->load_hops = random() % 20;
  std::size_t receipts = 0;
  const std::size_t count = 2 + random() % 4;
  for (std::size_t i = 0; i < count; ++i) {
    world.engine->submit({.text = kJob, .file = "one.yaml"}, {},
                         [&](engine::Result<engine::SubmitReceipt> receipt) { receipts += receipt ? 1 : 0; });
    for (auto hops = random() % 24; hops > 0; --hops)
      if (!world.clock.run_one()) world.clock.next_timer();
  }
  world.run_to_end();
  REQUIRE(receipts == count);
  std::size_t lost = 0;
  for (const auto& [id, run] : world.memory.runs) lost += run.done ? 0 : 1;
  return lost;
}

constexpr auto kNap = "job: nap\nstages:\n  a: {uses: work}\n  nap: {needs: [a], sleep: 5s}\n  b: {needs: [nap], uses: work}\n";

// The same in a queue that nodes share, in which they need a place anew after a restart.
constexpr auto kShared =
    "job: nap\nqueue: few\nstages:\n  a: {uses: work}\n  nap: {needs: [a], sleep: 5s}\n  b: {needs: [nap], uses: work}\n";

// Runs that sleep leave memory and come back while refills look for others; what went wrong then, in words.
std::vector<std::string> faults_of_sleepers(std::uint64_t seed, const char* job) {
  std::mt19937_64 random(seed);
  EngineWorld world({.active_runs_max = 1 + random() % 3, .queues = {{"few", {.concurrency_total = 3}}}});
  world.plugin("work", {[](const engine::StepCall&) { return support::succeed("1"); },
                        [&](const engine::StepCall&) { return base::Duration(random() % 2); }});
  for (int i = 0; i < 8; ++i) world.submit(job);
  for (auto steps = random() % 400; steps > 0; --steps)
    if (!world.clock.run_one()) world.clock.next_timer();
  world.crash(random);
  world.clock.advance(std::chrono::seconds(random() % 10));
  world.start();
  world.store->load_hops = 1 + random() % 60;
  // Timers come due while the store is still being asked.
  for (auto steps = random() % 1000; steps > 0; --steps)
    if (random() % 8 == 0 || !world.clock.run_one()) world.clock.next_timer();
  world.run_to_end();
  for (const auto& [id, run] : world.memory.runs)
    if (!run.done) world.memory.faults.push_back("run " + model::text(id) + " was lost");
  return world.memory.faults;
}

}  // namespace

TEST_CASE("a run that is submitted while a refill looks at the store is not lost") {
  std::mt19937_64 seeds(support::seed());
  for (int i = 0; i < 5000; ++i) {
    const auto seed = seeds();
    CAPTURE(seed);
    REQUIRE(lost_runs(seed) == 0);
  }
}

TEST_CASE("a run that comes and ends while a refill looks at the store is not done again") {
  std::mt19937_64 seeds(support::seed());
  for (int i = 0; i < 2000; ++i) {
    const auto seed = seeds();
    CAPTURE(seed);
    REQUIRE(faults_of_sleepers(seed, kNap).empty());
  }
}

TEST_CASE("a run that is woken while it is given its place is put to work once") {
  std::mt19937_64 seeds(support::seed());
  for (int i = 0; i < 2000; ++i) {
    const auto seed = seeds();
    CAPTURE(seed);
    REQUIRE(faults_of_sleepers(seed, kShared) == std::vector<std::string>());
  }
}

TEST_CASE("a run that had begun and waits in the store for room ends as it would in memory") {
  constexpr auto kTidy =
      "job: tidy\nstages:\n  a: {uses: work}\n  b: {needs: [a], uses: work}\non_cancel:\n  sweep: {uses: work}\n";
  EngineWorld world;
  world.plugin("work", {[](const engine::StepCall&) { return support::succeed("1"); }});
  world.runner->hold = {"b"};
  world.submit(kTidy);
  const auto second = world.submit(kTidy);
  world.clock.advance(std::chrono::seconds(1));
  std::mt19937_64 random(1);
  world.crash(random);
  world.settings.active_runs_max = 1;
  world.start();
  world.runner->hold = {"b"};
  world.clock.advance(std::chrono::seconds(1));
  REQUIRE(world.engine->status().at("runs_in_memory") == 1);
  bool cancelled = false;
  world.engine->cancel(second, {7, "ann", {}}, [&](const engine::Result<engine::Nothing>& done) { cancelled = bool(done); });
  world.clock.advance(std::chrono::seconds(1));
  CHECK(cancelled);
  CHECK(world.result(second) == "cancelled cancelled: cancelled by ann");
  CHECK(world.run(second).steps.contains("on_cancel/sweep"));
  CHECK(world.memory.faults.empty());
}

namespace {

// How many of `quick` runs ended beside `held` ones that never do.
std::size_t ended_beside(std::size_t active_max, std::size_t held, std::size_t quick) {
  EngineWorld world({.active_runs_max = active_max, .steps_in_flight_max = 2 * active_max});
  world.plugin("work", {[](const engine::StepCall&) { return support::succeed("1"); }});
  world.runner->hold = {"long"};
  for (std::size_t i = 0; i < held; ++i) world.submit("job: held\nstages:\n  long: {uses: work}\n");
  for (std::size_t i = 0; i < quick; ++i)
    world.engine->submit({.text = kJob, .file = "one.yaml"}, {}, [](const engine::Result<engine::SubmitReceipt>&) {});
  world.run_to_end();
  return static_cast<std::size_t>(std::count_if(world.memory.runs.begin(), world.memory.runs.end(),
                                                [](const auto& run) { return run.second.done.has_value(); }));
}

}  // namespace

TEST_CASE("runs that wait in the store use every place that there is in memory") {
  CHECK(ended_beside(3, 1, 6) == 6);
  CHECK(ended_beside(64, 60, 40) == 40);
  CHECK(ended_beside(4096, 4000, 300) == 300);
}

namespace {

// A queued run is cancelled about when its turn comes; what went wrong then, in words.
std::vector<std::string> faults_of_cancels(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  EngineWorld world({.queues = {{"one", {.concurrency = 1}}}});
  world.plugin("work", {[](const engine::StepCall&) { return support::succeed("1"); },
                        [&](const engine::StepCall& call) -> base::Duration {
                          if (world.run(call.run).done) world.memory.faults.push_back("a call of a run that had ended");
                          return std::chrono::seconds(random() % 3);
                        }});
  constexpr auto kQueued = "job: one\nqueue: one\nstages:\n  only: {uses: work}\n";
  world.submit(kQueued);
  const auto second = world.submit(kQueued);
  std::string told;
  world.engine->follow(second, engine::Interest::states, [&](const base::json::object& event) {
    if (event.at("event") == "state") told = std::string(event.at("state").as_string());
  });
  world.store->load_hops = random() % 4;
  const auto step = [&](std::size_t steps) {
    for (; steps > 0; --steps)
      if (random() % 4 == 0 || !world.clock.run_one()) world.clock.next_timer();
  };
  step(random() % 12);
  world.engine->cancel(second, {7, "ann", {}}, [](const engine::Result<engine::Nothing>&) {});
  step(random() % 24);
  world.run_to_end();
  const auto& done = world.run(second).done;
  if (!done) world.memory.faults.push_back("the run never ended");
  if (done && !told.empty() && model::parse_run_state(told) && model::is_terminal(*model::parse_run_state(told)) &&
      told != model::name(done->state))
    world.memory.faults.push_back("its followers were told that it was " + told);
  return world.memory.faults;
}

}  // namespace

TEST_CASE("a queued run that is cancelled as its turn comes ends once") {
  std::mt19937_64 seeds(support::seed());
  for (int i = 0; i < 3000; ++i) {
    const auto seed = seeds();
    CAPTURE(seed);
    REQUIRE(faults_of_cancels(seed) == std::vector<std::string>());
  }
}

TEST_CASE("a run that cannot be brought to memory takes its children with it when it is cancelled") {
  EngineWorld world;
  world.plugin("work", {[](const engine::StepCall&) { return support::succeed("1"); }});
  world.job("child", "job: child\nstages:\n  nap: {sleep: 2h}\n");
  const auto parent = world.submit("job: parent\nstages:\n  child: {run: child}\n");
  world.clock.advance(std::chrono::minutes(1));
  REQUIRE(world.memory.runs.size() == 2);
  const auto child = std::next(world.memory.runs.begin())->first;
  // Its version has been lost.
  std::mt19937_64 random(1);
  world.crash(random);
  world.memory.jobs.erase(world.run(parent).submitted.version);
  world.start();
  world.clock.advance(std::chrono::minutes(1));
  world.engine->cancel(parent, {7, "ann", {}}, [](const engine::Result<engine::Nothing>& done) { CHECK(done); });
  world.clock.advance(std::chrono::minutes(1));
  CHECK(world.result(parent) == "cancelled cancelled: cancelled by ann");
  CHECK_THAT(world.result(child), Catch::Contains("cancelled by run " + model::text(parent)));
  CHECK(std::count_if(world.memory.audit.begin(), world.memory.audit.end(),
                      [](const auto& line) { return line.command == "run.cancel"; }) == 1);
  CHECK(world.memory.faults.empty());
}
