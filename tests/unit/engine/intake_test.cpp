#include <catch2/catch.hpp>

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

}  // namespace

TEST_CASE("a run that is submitted while a refill looks at the store is not lost") {
  std::mt19937_64 seeds(support::seed());
  for (int i = 0; i < 5000; ++i) {
    const auto seed = seeds();
    CAPTURE(seed);
    REQUIRE(lost_runs(seed) == 0);
  }
}
