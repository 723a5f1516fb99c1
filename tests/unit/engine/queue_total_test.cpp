// Goal: a queue that is bounded over all nodes together lets no more of its runs be at work at once than it says, whatever
// becomes of the nodes, uses what it has, and its pauses reach all nodes. Method: several engines on one memory, stepped.
#include <catch2/catch.hpp>

#include <fstream>

#include "engine/scheduler.hpp"
#include "support/cluster_world.hpp"
#include "support/seed.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::ClusterWorld;
namespace json = base::json;

namespace {

constexpr int kTotal = 4;
constexpr auto kJob = R"(
job: work
queue: few
stages: {work: {uses: work}}
)";
constexpr auto kSleeper = R"(
job: sleeper
queue: few
stages:
  first: {uses: work}
  nap: {sleep: 10m, needs: [first]}
  last: {uses: work, needs: [nap]}
)";

// One after the other, on whatever node: by the turn of the job, or by a lock that a stage takes.
constexpr auto kTurns = R"(
job: turns
queue: few
concurrency: {limit: 1}
stages:
  first: {uses: work}
  nap: {sleep: 1m, needs: [first]}
  last: {uses: work, needs: [nap]}
)";
constexpr auto kLocks = R"(
job: locks
queue: few
stages:
  first: {uses: work}
  hold: {lock: ledger, needs: [first]}
  nap: {sleep: 1m, needs: [hold]}
  last: {uses: work, needs: [nap]}
)";

struct World : ClusterWorld {
  explicit World(int count, int total = kTotal)
      : ClusterWorld(count, {.active_runs_max = 64,
                             .queues = {{"few", {.concurrency_total = total}}},
                             .locks_looked_every = 5s}) {
    plugin("work", {[](const engine::StepCall&) { return support::succeed("1"); },
                    [](const engine::StepCall&) -> base::Duration { return 1s; }});
    pass(5s);
  }
  // Lets time pass and looks at each moment of it.
  void pass(base::Duration time) {
    const auto end = clock.tick() + time;
    while (clock.tick() < end) {
      if (!clock.run_one() && !clock.next_timer()) clock.advance(100ms);
      at_once = std::max(at_once, in_flight());
    }
  }
  model::RunId submit(int node, const char* job = kJob) {
    // The answer may come after a node was away.
    const auto run = std::make_shared<model::RunId>();
    nodes.at(node).engine->submit({.text = job, .file = "t.yaml"}, {},
                                  [run](const engine::Result<engine::SubmitReceipt>& receipt) {
                                    if (receipt) *run = receipt->run;
                                  });
    while (*run == model::RunId{} && clock.run_one()) {
    }
    return *run;
  }
  std::size_t done() const {
    return static_cast<std::size_t>(
        std::count_if(memory.runs.begin(), memory.runs.end(), [](const auto& run) { return run.second.done; }));
  }
  json::object queue(int node) const {
    for (const auto& queue : nodes.at(node).engine->queues())
      if (queue.at("queue") == "few") return queue.as_object();
    return {};
  }
  std::int64_t places() const {
    std::int64_t sum = 0;
    for (const auto& [id, node] : nodes)
      if (node.engine && !shared.nodes.at(id).gone) sum += queue(id).at("running").to_number<std::int64_t>();
    return sum;
  }
  std::string why(int node, model::RunId run) {
    std::string text;
    nodes.at(node).engine->why(run, [&](engine::Result<json::object> answer) { text = json::serialize(*answer); });
    pass(1s);
    return text;
  }
  void pause(int node, bool paused) {
    bool done = false;
    nodes.at(node).engine->pause_queue("few", paused, {0, "ann", {}}, [&](const engine::Result<engine::Nothing>& answer) {
      if (!answer) FAIL(answer.error().what());
      done = true;
    });
    pass(100ms);
    REQUIRE(done);
  }

  std::size_t at_once = 0;
  std::mt19937_64 random{1};
};

}  // namespace

TEST_CASE("all nodes together let in as many runs of a queue as its total") {
  World world(3);
  for (int i = 0; i < 24; ++i) world.submit(1 + i % 3);
  world.pass(3s);
  CHECK(world.at_once == kTotal);
  world.pass(60s);
  CHECK(world.done() == 24);
  CHECK(world.at_once == kTotal);
  SECTION("whichever of them wants it") {
    world.at_once = 0;
    for (int i = 0; i < 8; ++i) world.submit(2);
    world.pass(10s);
    CHECK(world.done() == 32);
    CHECK(world.at_once == kTotal);
  }
  SECTION("and a node that is left alone has all of it") {
    world.end(1, world.random);
    world.end(2, world.random);
    world.pass(2 * ClusterWorld::kLease);
    CHECK(world.queue(3).at("quota").is_null());
    for (int i = 0; i < 8; ++i) world.submit(3);
    world.pass(4s);
    CHECK(world.done() == 32);
    CHECK(world.at_once == kTotal);
  }
}

TEST_CASE("a run waits for a place that another node's run has, and says so") {
  World world(2, 1);
  const auto first = world.submit(1, kSleeper);
  world.pass(5s);
  const auto second = world.submit(2);
  world.pass(5s);
  CHECK_FALSE(world.memory.runs.at(second).done);
  CHECK_THAT(world.why(2, second), Catch::Contains("of its 1 places on all nodes together this node has 0 just now"));
  world.pass(11min);
  CHECK(world.memory.runs.at(first).done);
  CHECK(world.memory.runs.at(second).done);
}

TEST_CASE("runs of a dead node get places before those that have not begun") {
  World world(2, 2);
  const auto sleeping = world.submit(1, kSleeper);
  world.pass(3s);
  for (int i = 0; i < 3; ++i) world.submit(2, kSleeper);
  world.pass(3s);
  REQUIRE(world.places() == 2);
  world.end(1, world.random);
  world.pass(2 * ClusterWorld::kLease);
  const auto at_work = world.queue(2).at("runs").as_array();
  CHECK(std::count(at_work.begin(), at_work.end(), json::value(model::number(sleeping))) == 1);
  CHECK(at_work.size() == 2);
  SECTION("and may be cancelled while they wait") {
    // Both places are taken by runs that sleep, so this one waits for a third.
    world.start(1);
    world.pass(5s);
    world.end(2, world.random);
    world.pass(2 * ClusterWorld::kLease);
    for (const auto& [id, run] : std::map(world.memory.runs))
      if (!run.done) world.nodes.at(1).engine->cancel(id, {}, [](const engine::Result<engine::Nothing>& done) { CHECK(done); });
    world.pass(1min);
    CHECK(world.done() == world.memory.runs.size());
    CHECK(world.places() == 0);
  }
  SECTION("and end") {
    world.pass(40min);
    CHECK(world.done() == world.memory.runs.size());
    CHECK(world.memory.faults.empty());
  }
}

TEST_CASE("a run that waits for a lock leaves its place to who has the lock and lost his own") {
  const std::string job = GENERATE(kTurns, kLocks);
  CAPTURE(job);
  World world(2, 1);
  const auto first = world.submit(1, job.c_str());
  world.pass(5s);
  const auto second = world.submit(2, job.c_str());
  world.pass(2s);
  REQUIRE(world.memory.locks.size() == 1);
  // The place is given to the second while the first, in its new life, cannot ask for it.
  world.end(1, world.random);
  world.start(1);
  world.nodes[1].cluster->set_away(true);
  world.pass(800ms);
  REQUIRE(world.queue(2).at("running") == 1);
  world.nodes[1].cluster->set_away(false);
  enum class Waits { on, on_a_node_that_dies, on_a_node_that_begins_anew };
  const auto it_waits = GENERATE(Waits::on, Waits::on_a_node_that_dies, Waits::on_a_node_that_begins_anew);
  world.pass(8s);
  if (it_waits == Waits::on) {
    world.pass(2s);
    CHECK(world.queue(1).at("running") == 1);
    CHECK(world.queue(2).at("running") == 0);
  } else {
    world.end(2, world.random);
    if (it_waits == Waits::on_a_node_that_begins_anew) world.start(2);
  }
  world.pass(10min);
  CHECK(world.result(first) == "1");
  CHECK(world.result(second) == "1");
  CHECK(world.at_once == 1);
  CHECK(world.places() == 0);
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a queue's total holds whatever happens to the nodes") {
  constexpr const char* kJobs[] = {kJob, kJob, kJob, kJob, kSleeper, kTurns, kLocks};
  const auto seed = support::seed();
  for (std::uint64_t history = 0; history < 40; ++history) {
    World world(3);
    world.random.seed(seed + history);
    INFO("GODWIT_SEED=" << seed + history);
    const auto submit_some = [&] {
      for (int id = 1; id <= 3; ++id)
        if (world.runs(id) && !world.nodes[id].paused && !world.nodes[id].lost) world.submit(id, kJobs[world.random() % std::size(kJobs)]);
    };
    for (int round = 0; round < 30; ++round) {
      if (round % 3 == 0) submit_some();
      const int id = 1 + static_cast<int>(world.random() % 3);
      auto& node = world.nodes[id];
      if (!node.engine || node.lost) {
        if (node.engine) world.end(id, world.random);
        world.start(id);
      } else if (world.random() % 3 == 0) {
        world.end(id, world.random);
      } else if (world.random() % 3 == 0) {
        const bool away = world.random() % 2;
        node.store->set_away(away);
        node.cluster->set_away(away);
      }
      for (auto left = base::Duration(std::chrono::milliseconds(world.random() % 8000)); left.count() > 0; left -= 200ms) {
        world.pass(200ms);
        for (auto& [other, one] : world.nodes)
          if (one.cluster && one.cluster->is_killed()) world.end(other, world.random);
        REQUIRE(world.places() <= kTotal);
        REQUIRE(world.at_once <= kTotal);
      }
    }
    for (auto& [id, node] : world.nodes) {
      if (node.engine) {
        node.store->set_away(false);
        node.cluster->set_away(false);
        world.pass(1s);
      }
      if (!node.engine || node.lost) {
        if (node.engine) world.end(id, world.random);
        world.start(id);
      }
    }
    for (int minute = 0; minute < 300 && world.done() < world.memory.runs.size(); ++minute) world.pass(1min);
    CHECK(world.done() == world.memory.runs.size());
    CHECK(world.memory.faults.empty());
    CHECK(world.places() == 0);
  }
}

TEST_CASE("a queue that is paused at one node is paused at all, also for who comes later") {
  World world(2);
  const auto at_work = world.submit(1, kSleeper);
  world.pass(2s);
  world.pause(1, true);
  world.pass(500ms);
  CHECK(world.queue(2).at("paused") == true);
  CHECK(world.queue(2).at("paused_by") == "ann");
  const auto held = world.submit(2);
  world.pass(1min);
  world.end(2, world.random);
  world.start(2);
  world.pass(1min);
  CHECK_FALSE(world.memory.runs.at(held).done);
  world.pause(2, false);
  world.pass(500ms);
  CHECK(world.queue(1).at("paused") == false);
  world.pass(2s);
  CHECK(world.memory.runs.at(held).done);
  world.pass(11min);
  CHECK(world.memory.runs.at(at_work).done);
}

TEST_CASE("limits and schedules that are changed at one node are heard of at the others at once") {
  World world(2);
  std::ofstream(world.jobs() / "work.yaml") << kJob;
  world.library().reload();
  const auto accepted = [](const engine::Result<engine::Nothing>& done) { CHECK(done); };
  world.nodes.at(1).engine->set_limit("api", model::LimitSpec{.permits = 3}, {}, accepted);
  world.nodes.at(1).engine->schedules().set(
      model::schedule_from_json({{"name", "often"}, {"job", "work"}, {"every", "1h"}}), {}, accepted);
  world.pass(500ms);
  const auto& other = *world.nodes.at(2).engine;
  REQUIRE(other.limits().size() == 1);
  CHECK(other.limits().at(0).at("permits") == 3);
  REQUIRE(world.nodes.at(2).engine->schedules().view().size() == 1);
  CHECK(world.nodes.at(2).engine->schedules().view().at(0).at("schedule") == "often");
}

TEST_CASE("a drained node gives its places away") {
  World world(2, 2);
  world.submit(1, kSleeper);
  world.submit(1, kSleeper);
  world.pass(3s);
  CHECK(world.queue(1).at("running") == 2);
  world.shared.nodes[1].draining = true;
  world.pass(2 * ClusterWorld::kLease);
  CHECK(world.queue(1).at("running") == 0);
  CHECK(world.queue(2).at("running") == 2);
}
