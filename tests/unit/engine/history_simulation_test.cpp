// Goal: whatever happens to the process, a run comes to the same end, and no finished step is sent again. Method: whole
// lives of random jobs in a world whose clock, store and plugins are stepped, with crashes at random points; one seed
// is one history.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "support/engine_world.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::EngineWorld;

namespace {

// The call of a stage, which reads some of the stages before it.
std::string random_call(std::mt19937_64& random, const std::string& name, const std::vector<std::string>& readable,
                        bool item) {
  std::string with = "uses: mix, with: {name: " + name;
  for (std::size_t need = 0; need < readable.size(); ++need)
    if (random() % 3 == 0) with += ", n" + std::to_string(need) + ": '${ stages." + readable[need] + " }'";
  if (item) with += ", item: '${ item }'";
  with += "}";
  if (random() % 2) with += ", limits: {few: 1" + std::string(random() % 2 ? ", some: 3" : "") + "}";
  return with + ", retry: {attempts: 50, backoff: 10ms}";
}

// Two stages for each item, of which one may be a list itself.
std::string random_body(std::mt19937_64& random, const std::string& name, const std::vector<std::string>& readable) {
  const std::string first = name + "a", second = name + "b";
  std::string yaml = "stages: {" + first + ": {" + random_call(random, first, readable, true) + "}, " + second + ": {";
  if (random() % 2) yaml += "foreach: '${ range(1, " + std::to_string(random() % 4) + ") }', on_item_error: record, ";
  return yaml + random_call(random, second, {first}, true) + ", needs: [" + first + "]}}";
}

// A random graph of stages: calls, lists, lists of stages, lists that grow, waits, stages at the end. All outputs that
// are read are functions of their inputs.
std::string random_job(std::mt19937_64& random) {
  std::string yaml = "job: random\nlimits: {few: 2, some: 5}\nstages:\n";
  const auto stages = 1 + random() % 6;
  std::string result;
  std::vector<std::string> readable;
  for (std::size_t i = 0; i < stages; ++i) {
    const std::string name = "s" + std::to_string(i);
    const auto kind = random() % 10;
    yaml += "  " + name + ": {";
    if (random() % 4 == 0) yaml += "when: '${ " + std::string(random() % 2 ? "true" : "false") + " }', ";
    if (kind == 0) {
      yaml += "sleep: " + std::to_string(1 + random() % 9) + "s}\n";
      continue;
    }
    if (kind == 1) {
      yaml += "wait_signal: {name: never, timeout: " + std::to_string(1 + random() % 9) + "s, otherwise: go_on}}\n";
      continue;
    }
    if (i > 0 && random() % 4 == 0) yaml += "needs: [s" + std::to_string(random() % i) + "], ";
    const std::string range = "'${ range(1, " + std::to_string(random() % 9) + ") }'";
    if (kind < 6) yaml += "parallel: " + std::to_string(1 + random() % 5) + ", on_item_error: record, ";
    if (kind == 2) {
      yaml +=
          "foreach: {items: " + range +
          ", grow: '${ filter({item * 2, item * 2 + 1}, function(n) return n < 25 end) }'}, uses: mix, with: {name: " +
          name + ", item: '${ item }'}, retry: {attempts: 50, backoff: 10ms}";
    } else if (kind < 4) {
      yaml += "foreach: " + range + ", " + random_body(random, name, readable);
    } else {
      if (kind < 6) yaml += "foreach: " + range + ", ";
      yaml += random_call(random, name, readable, kind < 6);
    }
    yaml += "}\n";
    // In which order a growing list grows is chance; how much it has is not.
    const std::string value = kind == 2 ? "${ stages." + name + ".count }" : "${ stages." + name + " }";
    if (kind != 2) readable.push_back(name);
    result += (result.empty() ? "" : ", ") + name + ": '" + value + "'";
  }
  if (random() % 3 == 0)
    yaml += "on_success:\n  last: {uses: mix, with: {r: '${ outcome.result }'}, retry: {attempts: 50}}\n";
  return yaml + "result: {" + result + "}\n";
}

struct Outcome {
  std::string result;
  std::size_t sent = 0;
};

// Plays one history; `crashes` says how many times the process dies.
Outcome play(std::uint64_t seed, int crashes) {
  std::mt19937_64 job_random(seed);
  const std::string job = random_job(job_random);
  std::mt19937_64 random(seed ^ 0x9e3779b97f4a7c15u ^ static_cast<std::uint64_t>(crashes));
  std::map<std::string, std::set<std::string>> finished;  // what the memory had as finished when a life began
  EngineWorld world({.active_runs_max = 3, .steps_in_flight_max = 7, .seed = seed});
  Outcome outcome;
  world.plugin("mix",
               {[&](const engine::StepCall& call) -> engine::StepOutcome {
                  // The same question has the same answer in every life, but for trouble that passes.
                  if (random() % 11 == 0) return support::fail("busy", true);
                  if (call.attempt == 1 && random() % 17 == 0)
                    return engine::StepLost{{"crashed", "signal SIGKILL", true, {}}};
                  if (std::hash<std::string>{}(call.input) % 13 == 0) return support::fail("never", false);
                  return support::succeed("{\"h\":\"" + std::to_string(std::hash<std::string>{}(call.input)) + "\"}");
                },
                [&](const engine::StepCall&) { return std::chrono::milliseconds(random() % 30); }});
  std::vector<model::RunId> runs;
  for (int i = 0; i < 4; ++i) runs.push_back(world.submit(job));
  const auto all_ended = [&] {
    return std::all_of(runs.begin(), runs.end(), [&](auto run) { return world.memory.runs.at(run).done.has_value(); });
  };
  int left = crashes;
  std::set<std::pair<model::RunId, std::string>> recorded;
  for (int step = 0; step < 200'000 && !all_ended(); ++step) {
    if (!world.clock.run_one() && !world.clock.next_timer()) break;
    if (left > 0 && random() % 60 == 0) {
      --left;
      outcome.sent += world.runner->sent.size();
      world.crash(random);
      for (const auto& [id, run] : world.memory.runs)
        for (const auto& [path, done] : run.steps) recorded.insert({id, path});
      world.start();
    }
    for (const auto& call : world.runner->sent)
      if (recorded.contains({call.run, call.path}))
        FAIL("a finished step was sent again: " << call.path << ", seed " << seed);
  }
  outcome.sent += world.runner->sent.size();
  for (const auto run : runs) outcome.result += world.result(run) + "\n";
  INFO("seed " << seed << " crashes " << crashes << "\n" << job);
  for (const auto& fault : world.memory.faults) FAIL(fault << ", seed " << seed);
  REQUIRE(all_ended());
  return outcome;
}

}  // namespace

TEST_CASE("histories with crashes end like those without") {
  const char* given = std::getenv("GODWIT_SEED");
  const std::uint64_t first = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  const int histories = given ? 1 : 300;
  for (int i = 0; i < histories; ++i) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
    INFO("GODWIT_SEED=" << seed);
    const auto quiet = play(seed, 0);
    const auto rough = play(seed, 1 + i % 8);
    REQUIRE(rough.result == quiet.result);
  }
}
