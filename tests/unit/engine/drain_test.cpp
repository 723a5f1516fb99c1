// Goal: a node that is told to drain lets go of its runs whole: nothing of them is under way here when others take them.
// Method: the world of several nodes, with a clock that is stepped.
#include <catch2/catch.hpp>
#include <map>

#include "support/cluster_world.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::ClusterWorld;

namespace {

model::RunId submit(ClusterWorld& world, int node, const std::string& text) {
  model::RunId run{};
  world.nodes[node].engine->submit({.text = text, .file = "test.yaml"}, {},
                                   [&](const engine::Result<engine::SubmitReceipt>& receipt) { run = receipt->run; });
  world.clock.run_posted();
  return run;
}

void drain(ClusterWorld& world, int node, bool draining = true) {
  world.nodes[node].cluster->set_draining(std::to_string(node), draining, {}, [](const engine::Result<engine::Nothing>&) {});
}

}  // namespace

TEST_CASE("a run that is given away starts nothing with what its own steps give back") {
  ClusterWorld world(1, {});
  int calls = 0;
  world.plugin("echo", {[&](const engine::StepCall& call) {
                          return ++calls == 1 ? support::fail("busy", true) : support::succeed(call.input);
                        },
                        [](const engine::StepCall& call) { return call.path == "each[0]" ? 1h : 0s; }});
  world.clock.run_posted();
  submit(world, 1, "job: h\nlimits: {door: 2}\nstages:\n  each: {foreach: '${ range(1, 1) }', uses: echo, limits: {door: 1}}\n");
  // When `small` comes back from its pause it waits behind `large`, which waits for more than is free.
  const auto run = submit(world, 1,
                          "job: c\nlimits: {door: 2}\nstages:\n  small: {uses: echo, limits: {door: 1}, retry: {attempts: 2, "
                          "backoff: 1s}}\n  large: {uses: echo, limits: {door: 2}}\n");
  world.clock.advance(5s);
  REQUIRE(world.nodes[1].runner->sent.size() == 2);
  drain(world, 1);
  world.clock.advance(5s);
  CHECK(world.memory.runs.at(run).owner == 0);
  CHECK(world.nodes[1].runner->sent.size() == 2);
  CHECK(world.in_flight() == 1);
}

TEST_CASE("a node that is to go on waits until what it gave away is given away") {
  ClusterWorld world(2, {.active_runs_max = 1});
  std::map<model::RunId, int> calls;
  world.plugin("echo", {[](const engine::StepCall& call) { return support::succeed(call.input); },
                        [&](const engine::StepCall& call) {
                          ++calls[call.run];
                          return 20s;
                        }});
  world.clock.run_posted();
  constexpr auto kJob = "job: j\nstages:\n  only: {uses: echo}\n";
  std::vector<model::RunId> runs{submit(world, 1, kJob), submit(world, 1, kJob)};
  std::function<void()> release;
  world.nodes[1].cluster->releases_late = [&](std::function<void()> late) { release = std::move(late); };
  drain(world, 1);
  world.clock.advance(5s);
  REQUIRE(release);
  drain(world, 1, false);
  world.clock.advance(18s);
  // The first run has ended its call and left. A submit has the node look into the store, where the second is its own still.
  runs.push_back(submit(world, 1, kJob));
  world.clock.advance(5s);
  world.nodes[1].clock->post(release);
  world.clock.advance(5min);
  for (const auto run : runs) {
    CHECK(world.result(run) != "not ended");
    CHECK(calls[run] == 1);
  }
  CHECK(world.memory.faults.empty());
  // And it works again.
  const auto sent = world.nodes[1].runner->sent.size();
  submit(world, 1, kJob);
  CHECK(world.nodes[1].runner->sent.size() == sent + 1);
}
