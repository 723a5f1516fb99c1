// Goal: several nodes on one store, of which each may crash, be paused, be cut off or be told to drain at any moment,
// bring all runs to the ends they would have had: nothing is lost, no finished step is started again, no limit is
// exceeded, and only the node that has a run writes of it. Method: whole histories in a world whose clock, store and
// plugins are stepped; one seed is one history. Without the check of epochs the same histories must go wrong.
#include <catch2/catch.hpp>

#include "support/cluster_world.hpp"
#include "support/seed.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::ClusterWorld;

namespace {

constexpr int kNodes = 3;
constexpr auto kPermits = 4;
// A call takes 1 to 400 ms, all of them one permit. A part of the jobs waits, or has children.
constexpr auto kJob = R"(
job: flight
params: {n: integer}
limits: {few: 4}
stages:
  first: {uses: mix, with: {n: "${ params.n }"}, limits: {few: 1}, retry: {attempts: 50, backoff: 10ms}}
  rest: {sleep: 4s, needs: [first]}
  legs:
    foreach: "${ range(1, 4) }"
    parallel: 3
    needs: [rest]
    uses: mix
    with: {n: "${ params.n }", item: "${ item }"}
    limits: {few: 1}
    retry: {attempts: 50, backoff: 10ms}
result: {first: "${ stages.first }", legs: "${ stages.legs.items }"}
)";

// One history; what went wrong, in words.
struct History {
  std::vector<std::string> faults;
  std::string results;
  int takeovers = 0;
};

class Play {
 public:
  Play(std::uint64_t seed, bool rough, bool checks_epochs)
      : random_(seed), rough_(rough), world_(kNodes, {.active_runs_max = 8, .steps_in_flight_max = 16, .seed = seed}) {
    world_.memory.checks_epochs = checks_epochs;
    world_.plugin("mix", {[](const engine::StepCall& call) -> engine::StepOutcome {
                            return support::succeed("\"" + std::to_string(std::hash<std::string>{}(call.input)) + "\"");
                          },
                          [this](const engine::StepCall& call) -> base::Duration {
                            if (world_.memory.runs.at(call.run).steps.contains(call.path))
                              fault("a finished step was started again: " + model::text(call.run) + " " + call.path);
                            return std::chrono::milliseconds(1 + random_() % 400);
                          }});
  }

  History run() {
    settle();
    for (int i = 0; i < 12; ++i) submit(1 + i % kNodes, i);
    const auto end = world_.clock.tick() + 10min;
    while (world_.clock.tick() < end && !all_ended()) step();
    for (const auto run : runs_) history_.results += world_.result(run) + "\n";
    if (!all_ended()) fault("runs were lost:\n" + history_.results);
    for (const auto& found : world_.memory.faults) fault(found);
    return std::move(history_);
  }

 private:
  void fault(const std::string& what) { history_.faults.push_back(what); }
  void settle() {
    while (world_.clock.run_one()) {
    }
  }
  bool all_ended() const {
    return std::all_of(runs_.begin(), runs_.end(),
                       [this](auto run) { return world_.memory.runs.at(run).done.has_value(); });
  }
  void submit(int node, int n) {
    world_.nodes[node].engine->submit({.text = kJob, .file = "flight.yaml", .params = {{"n", n}}}, {},
                                      [this](engine::Result<engine::SubmitReceipt> receipt) {
                                        if (!receipt) return fault(receipt.error().what());
                                        runs_.push_back(receipt->run);
                                      });
    settle();
  }

  void step() {
    // Time goes on when nobody is there to wait for anything, too.
    if (!world_.clock.run_one() && !world_.clock.next_timer()) world_.clock.advance(100ms);
    for (auto& [id, node] : world_.nodes)
      if (node.cluster && node.cluster->is_killed()) world_.end(id, random_);
    if (world_.in_flight() > kPermits) fault("the limit was exceeded: " + std::to_string(world_.in_flight()));
    for (auto& [id, node] : world_.nodes) look_after(id, node);
    if (rough_ && world_.clock.tick() >= next_blow_) blow();
  }

  void look_after(int id, ClusterWorld::Node& node) {
    if (!node.engine || !node.lost || node.paused) return;
    ++history_.takeovers;
    world_.end(id, random_);
    world_.start(id);
  }

  // Something happens to a node, or ceases to.
  void blow() {
    next_blow_ = world_.clock.tick() + std::chrono::milliseconds(200 + random_() % 6000);
    const int id = 1 + static_cast<int>(random_() % kNodes);
    auto& node = world_.nodes[id];
    if (!node.engine) return world_.start(id);
    switch (random_() % 6) {
      case 0:
        return world_.end(id, random_);
      case 1:
        if (std::exchange(node.paused, true)) return;
        return node.clock->pause();
      case 2:
        node.store->set_away(true);
        return node.cluster->set_away(true);
      case 3:
        return node.cluster->set_draining(std::to_string(id), !world_.shared.nodes[id].draining, {},
                                          [](const engine::Result<engine::Nothing>&) {});
      default:
        if (std::exchange(node.paused, false)) node.clock->go_on();
        node.store->set_away(false);
        node.cluster->set_away(false);
    }
  }

  std::mt19937_64 random_;
  bool rough_;
  ClusterWorld world_;
  History history_;
  std::vector<model::RunId> runs_;
  base::Tick next_blow_{};
};

History play(std::uint64_t seed, bool rough, bool checks_epochs = true) {
  return Play(seed, rough, checks_epochs).run();
}

}  // namespace

TEST_CASE("histories of several nodes end like those of undisturbed ones") {
  const std::uint64_t first = support::seed();
  const bool replay = std::getenv("GODWIT_SEED") != nullptr;
  const int histories = replay ? 1 : 1000;
  const std::string quiet = play(first, false).results;
  int takeovers = 0;
  for (int i = 0; i < histories; ++i) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
    const auto rough = play(seed, true);
    INFO("GODWIT_SEED=" << seed);
    for (const auto& what : rough.faults) FAIL_CHECK(what);
    REQUIRE(rough.results == quiet);
    takeovers += rough.takeovers;
  }
  // Else nothing of interest happened.
  if (!replay) CHECK(takeovers > 0);
}

TEST_CASE("without the check of epochs histories of several nodes go wrong") {
  int wrong = 0;
  for (std::uint64_t seed = 1; seed <= 300 && wrong == 0; ++seed)
    wrong += play(seed, true, false).faults.empty() ? 0 : 1;
  CHECK(wrong > 0);
}
