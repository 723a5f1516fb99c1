// Goal: locks and turns are had by so many runs as they allow, in the order of arrival, whatever crashes; runs that
// continue as others do so once. Method: the engine's world, with lives that end at any commit.
#include <catch2/catch.hpp>

#include "support/cluster_world.hpp"
#include "support/engine_world.hpp"
#include "support/seed.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::EngineWorld;
namespace json = base::json;

namespace {

std::string tenant_job(const std::string& concurrency) {
  return "job: tenant\nparams: {tenant: string}\nconcurrency: " + concurrency +
         "\nstages:\n  nap: {sleep: 1h}\n  work: {needs: [nap], uses: echo, with: {v: 1}}\nresult: done\n";
}

class LockWorld : public EngineWorld {
 public:
  LockWorld() {
    plugin("echo", {[](const engine::StepCall& call) { return support::succeed(call.input); }});
  }
  model::RunId submit_for(const std::string& yaml, const std::string& tenant) {
    return submit(yaml, {{"tenant", tenant}});
  }
  std::string state(model::RunId run) {
    std::string text;
    engine->why(run, [&](const engine::Result<json::object>& why) {
      if (why) text = json::serialize(*why);
    });
    clock.run_posted();
    return text;
  }
  void die() {
    std::mt19937_64 random(7);
    crash(random);
    start();
  }
};

}  // namespace

TEST_CASE("runs of one key take turns in their order, those of another do not wait") {
  LockWorld world;
  const auto job = tenant_job("{key: '${ params.tenant }'}");
  const auto first = world.submit_for(job, "acme"), second = world.submit_for(job, "acme"),
             third = world.submit_for(job, "acme"), other = world.submit_for(job, "umbrella");
  world.clock.advance(30min);
  CHECK_THAT(world.state(second), Catch::Contains("concurrency 1 with the key 'acme'") &&
                                      Catch::Contains("run " + model::text(first) + " has it"));
  CHECK_THAT(world.state(third), Catch::Contains("run " + model::text(second) + ", which waits too"));
  // They wait in the store.
  CHECK(world.engine->live(second).empty());
  world.die();
  CHECK_THAT(world.state(second), Catch::Contains("run " + model::text(first) + " has it"));
  world.clock.advance(31min);
  CHECK(world.result(first) == "\"done\"");
  CHECK(world.result(other) == "\"done\"");
  CHECK(world.result(second) == "not ended");
  world.clock.advance(1h);
  CHECK(world.result(second) == "\"done\"");
  CHECK(world.result(third) == "not ended");
  world.die();
  world.run_to_end();
  CHECK(world.result(third) == "\"done\"");
  CHECK(world.run(third).done->at - world.run(second).done->at >= 1h);
  CHECK(world.memory.locks.empty());
  CHECK(world.memory.faults.empty());
}

TEST_CASE("who waits for the turn of a run that has stages at its end is told of it") {
  LockWorld world;
  const auto job = tenant_job("{key: '${ params.tenant }'}") + "on_success:\n  bye: {uses: echo, with: {v: 1}}\n";
  const auto first = world.submit_for(job, "acme"), second = world.submit_for(job, "acme");
  world.run_to_end();
  CHECK(world.result(first) == "\"done\"");
  CHECK(world.result(second) == "\"done\"");
  CHECK(world.memory.locks.empty());
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a lock that a run has let go when its end begins is had at once by who waits for it") {
  LockWorld world;
  world.plugin("slow", {[](const engine::StepCall&) { return support::succeed("1"); },
                        [](const engine::StepCall&) -> base::Duration { return 10min; }});
  world.submit("job: a\nstages:\n  hold: {lock: ledger}\n  nap: {needs: [hold], sleep: 1m}\non_success:\n  bye: "
               "{uses: slow}\n");
  const auto waiter = world.submit("job: b\nstages:\n  hold: {lock: ledger}\nresult: held\n");
  world.clock.advance(2min);
  CHECK(world.result(waiter) == "\"held\"");
}

TEST_CASE("a limit of two lets two go on, and a cancelled run gives its place away") {
  LockWorld world;
  const auto job = tenant_job("{key: '${ params.tenant }', limit: 2}");
  std::vector<model::RunId> runs;
  for (int i = 0; i < 4; ++i) runs.push_back(world.submit_for(job, "acme"));
  world.clock.advance(10min);
  CHECK(std::count_if(world.memory.locks.begin(), world.memory.locks.end(),
                      [](const auto& row) { return row.granted; }) == 2);
  world.engine->cancel(runs[0], {7, "ann", {}}, [](const engine::Result<engine::Nothing>&) {});
  world.engine->cancel(runs[2], {7, "ann", {}}, [](const engine::Result<engine::Nothing>&) {});
  world.clock.advance(55min);
  CHECK(world.result(runs[1]) == "\"done\"");
  world.run_to_end();
  CHECK(world.result(runs[3]) == "\"done\"");
  CHECK(world.memory.locks.empty());
  CHECK(world.memory.faults.empty());
}

TEST_CASE("one more run is left out with a record, or ends the older ones") {
  LockWorld world;
  const auto skipping = tenant_job("{key: '${ params.tenant }', then: skip}");
  const auto first = world.submit_for(skipping, "acme"), second = world.submit_for(skipping, "acme");
  world.clock.advance(1min);
  CHECK(world.result(second) ==
        "cancelled skipped: skipped: run " + model::text(first) + " of job 'tenant' with the key 'acme' has not ended");
  CHECK(world.run(second).steps.empty());
  world.run_to_end();
  CHECK(world.result(first) == "\"done\"");
  const auto later = world.submit_for(skipping, "acme");
  world.run_to_end();
  CHECK(world.result(later) == "\"done\"");

  const auto newest = tenant_job("{key: '${ params.tenant }', then: cancel_older}");
  const auto old = world.submit_for(newest, "acme");
  world.clock.advance(1min);
  const auto middle = world.submit_for(newest, "acme"), last = world.submit_for(newest, "acme");
  world.run_to_end();
  CHECK(world.result(old) == "cancelled cancelled: cancelled by run " + model::text(middle));
  CHECK(world.result(middle) == "cancelled cancelled: cancelled by run " + model::text(last));
  CHECK(world.result(last) == "\"done\"");
  CHECK(world.memory.locks.empty());
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a stage locks a name until its run or its item ends; who waits too long fails") {
  LockWorld world;
  const auto holder = world.submit(
      "job: a\nstages:\n  hold: {lock: '${ \"tenant/\" .. \"acme\" }'}\n  nap: {needs: [hold], sleep: 1h}\nresult: "
      "held\n");
  const auto waiter =
      world.submit("job: b\nstages:\n  hold: {lock: tenant/acme}\n  work: {needs: [hold], uses: echo, with: {v: 2}}\n");
  const auto hasty = world.submit(
      "job: c\nstages:\n  hold: {lock: {name: tenant/acme, timeout: 10m}}\n  work: {needs: [hold], uses: echo}\n");
  world.clock.advance(5min);
  CHECK_THAT(world.state(waiter),
             Catch::Contains("waits for the lock 'tenant/acme', which run " + model::text(holder)));
  world.die();
  world.clock.advance(30min);
  CHECK_THAT(world.result(hasty), Catch::Contains("failed timeout: the lock 'tenant/acme' was not free"));
  CHECK(world.result(waiter) == "not ended");
  world.run_to_end();
  CHECK(world.result(holder) == "\"held\"");
  CHECK(world.result(waiter) == R"({"v":2})");
  const auto items = world.submit(
      "job: d\nstages:\n  each:\n    foreach: ${ range(1, 3) }\n    stages:\n      hold: {lock: one}\n      nap: "
      "{needs: "
      "[hold], sleep: 1h}\n      work: {needs: [nap], uses: echo, with: {v: '${ item }'}}\nresult: '${ "
      "stages.each.count }'\n");
  world.run_to_end();
  CHECK(world.result(items) == "3");
  // One after the other.
  const auto& done = world.run(items);
  CHECK(done.done->at - done.submitted.submitted_at >= 3h);
  CHECK(world.memory.locks.empty());
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a run continues as another in one transaction, with a link in both") {
  LockWorld world;
  const std::string job =
      "job: chain\nparams: {n: integer}\nunique: '${ 1 }'\nconcurrency: {limit: 1}\nstages:\n  work: {uses: echo, "
      "with: {n: '${ params.n "
      "}'}}\n  nap: {needs: [work], sleep: 10s}\ncontinue_as: {when: '${ params.n < 5 }', with: {n: '${ params.n + 1 "
      "}'}}\nresult: '${ stages.work.n }'\n";
  const std::uint64_t seed = support::seed();
  std::mt19937_64 random(seed);
  world.submit(job, {{"n", 1}});
  for (int i = 0; i < 60; ++i) {
    const auto death = world.memory.groups + 1 + random() % 6;
    world.store->death = lab::MemoryStore::Death{death, random() % 2 == 0};
    world.run_to_end();
    if (!world.store->dead()) break;
    world.clock.forget();
    world.engine.reset();
    world.clock.forget();
    world.start();
  }
  world.run_to_end();
  CHECK(world.memory.faults == std::vector<std::string>());
  REQUIRE(world.memory.runs.size() == 5);
  int n = 0;
  for (const auto& [id, run] : world.memory.runs) {
    INFO("run " << model::text(id));
    CHECK(world.result(id) == std::to_string(++n));
    int from = 0, on = 0;
    for (const auto& change : run.changes) {
      if (change.change != engine::RunChange::continued) continue;
      ++(change.detail.starts_with("goes on from") ? from : on);
    }
    CHECK(from == (n == 1 ? 0 : 1));
    CHECK(on == (n == 5 ? 0 : 1));
  }
  CHECK(world.memory.locks.empty());
}

TEST_CASE("a lock that one node lets go is had by the run of another that waits for it") {
  support::ClusterWorld world(2, {});
  const auto submit = [&](int node) {
    model::RunId run{};
    world.nodes[node].engine->submit(
        {.text = "job: held\nstages:\n  turn: {lock: ledger}\n  nap: {needs: [turn], sleep: 1s}\nresult: done\n",
         .file = "held.yaml"},
        {}, [&](const engine::Result<engine::SubmitReceipt>& receipt) {
          REQUIRE(receipt);
          run = receipt->run;
        });
    world.clock.run_posted();
    return run;
  };
  world.clock.advance(30s);  // each knows of the other
  std::vector<model::RunId> runs;
  for (int i = 0; i < 6; ++i) runs.push_back(submit(1 + i % 2));
  // Nobody looks by himself: in this world it is never looked again.
  world.clock.advance(7s);
  for (const auto run : runs) CHECK(world.result(run) == "\"done\"");
  CHECK(world.memory.locks.empty());
  CHECK(world.memory.mail.empty());
}
