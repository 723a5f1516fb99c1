// Goal: named queues bound how many of their runs are at work and can be paused, urgent runs overtake a backlog
// wherever something is waited for, and ageing lets the backlog go on. Method: an engine with a stepped clock on a
// memory store that holds few runs in memory.
#include "engine/queues.hpp"

#include <catch2/catch.hpp>

#include "support/engine_world.hpp"
#include "support/seed.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using engine::Queues;
using engine::Rank;
using support::EngineWorld;
namespace json = base::json;

namespace {

model::RunId id(int number) {
  return model::RunId{number};
}

// The order in which the runs that wait get their turns, each ending when the next is let in.
std::vector<std::int64_t> order_of(Queues& queues) {
  std::vector<std::int64_t> order;
  while (const auto next = queues.next()) {
    queues.take();
    order.push_back(model::number(next->run));
    queues.leave(next->run, next->rank);
  }
  return order;
}

constexpr auto kJob = R"(
job: work
stages:
  work: {uses: work}
result: "${ stages.work }"
)";

// A world in which each run takes a second, so many are in memory at once, and so many steps are with plugins.
struct World : EngineWorld {
  explicit World(std::size_t runs_max, std::size_t steps_max = 1024,
                 std::map<std::string, model::QueueSpec> queues = {})
      : EngineWorld({.active_runs_max = runs_max, .steps_in_flight_max = steps_max, .queues = std::move(queues)}) {
    plugin("work", {[this](const engine::StepCall& call) {
                      ended.push_back(model::number(call.run));
                      return support::succeed("1");
                    },
                    [](const engine::StepCall&) { return 1s; }});
  }
  std::vector<std::int64_t> ended;

  model::RunId submit_ranked(std::optional<int> priority, std::string queue = {}) {
    model::RunId run{};
    engine->submit({.text = kJob, .file = "t.yaml", .queue = std::move(queue), .priority = priority}, {},
                   [&](engine::Result<engine::SubmitReceipt> receipt) {
                     REQUIRE(receipt);
                     run = receipt->run;
                   });
    clock.run_posted();
    return run;
  }
  void submit_backlog(std::size_t count, std::optional<int> priority = {}, std::string queue = {}) {
    engine->submit_many({.text = kJob, .file = "t.yaml", .queue = std::move(queue), .priority = priority},
                        std::vector<json::object>(count), {},
                        [](const engine::Result<std::vector<model::RunId>>& runs) { REQUIRE(runs); });
    clock.run_posted();
  }
  std::string why(model::RunId run) {
    std::string text;
    engine->why(run, [&](engine::Result<json::object> answer) {
      for (const auto& reason : answer->at("reasons").as_array())
        text += std::string(reason.at("text").as_string()) + "\n";
    });
    clock.run_posted();
    return text;
  }
  void pause(const std::string& name, bool paused) {
    std::string error;
    engine->pause_queue(name, paused, {0, "ann", {}}, [&](const engine::Result<engine::Nothing>& done) {
      if (!done) error = done.error().what();
    });
    clock.run_posted();
    if (!error.empty()) throw std::runtime_error(error);
  }
};

}  // namespace

TEST_CASE("turns go by priority and by time, and only where there is a place") {
  Queues queues;
  queues.set("two", {.concurrency = 2});
  const base::Instant begin{1h};
  for (int i = 1; i <= 4; ++i) queues.add(id(i), {{"two"}, 0}, begin + i * 1s);
  queues.add(id(5), {{"two"}, 1}, begin + 61500ms);  // a level is a minute: after 1, before 3
  queues.add(id(6), {{}, -1}, begin);
  CHECK(queues.waiting() == 6);
  CHECK(order_of(queues) == std::vector<std::int64_t>{1, 5, 2, 3, 4, 6});
  CHECK(queues.waiting() == 0);
  SECTION("a full queue holds up its own runs and nobody else's") {
    queues.enter(id(10), {{"two"}, 0});
    queues.enter(id(11), {{"two"}, 0});
    queues.add(id(1), {{"two"}, 100}, begin);
    queues.add(id(2), {{"other"}, 0}, begin);
    CHECK(queues.next()->run == id(2));
    queues.leave(id(10), {{"two"}, 0});
    CHECK(queues.next()->run == id(1));
    queues.forget(id(1), {{"two"}, 100});
    CHECK(queues.next()->run == id(2));
  }
  SECTION("a run needs a place in all its queues") {
    const Rank both{{"one", "two"}, 0};
    queues.set("one", {.concurrency = 1});
    queues.add(id(1), both, begin);
    queues.enter(id(9), {{"one"}, 0});
    CHECK_FALSE(queues.next());
    queues.leave(id(9), {{"one"}, 0});
    CHECK(queues.next()->run == id(1));
  }
  SECTION("what is neither set nor used is forgotten") {
    queues.add(id(1), {{"passing"}, 0}, begin);
    CHECK(queues.known("passing"));
    order_of(queues);
    CHECK_FALSE(queues.known("passing"));
    CHECK(queues.known("two"));
  }
}

TEST_CASE("a million wait at little cost") {
  Queues queues;
  queues.set("q", {.concurrency = 1});
  queues.enter(id(1), {{"q"}, 0});
  const auto begin = base::thread_cpu_time();
  for (int i = 2; i <= 1'000'000; ++i) queues.add(id(i), {{"q"}, 0}, base::Instant{i * 1ms});
  queues.add(id(2'000'000), {{"q"}, 5}, base::Instant{1'000'001ms});
  CHECK_FALSE(queues.next());
  queues.leave(id(1), {{"q"}, 0});
  CHECK(queues.next()->run == id(2));  // it has waited for more than five minutes longer
  for (int i = 0; i < 800'000; ++i) {
    const auto next = queues.next();
    queues.take();
    queues.leave(next->run, next->rank);
    if (next->run == id(2'000'000)) break;
  }
  CHECK(queues.waiting() > 250'000);
  CHECK(queues.waiting() < 350'000);
  CHECK(base::thread_cpu_time() - begin < 10s);
}

TEST_CASE("a queue lets so many of its runs be at work at once, the others stay queued") {
  World world(100, 1024, {{"two", {.concurrency = 2, .concurrency_total = 5}}});
  world.submit_backlog(6, {}, "two");
  const auto last = world.submit_ranked({}, "two");
  CHECK(world.engine->status().at("runs_in_memory") == 2);
  CHECK(world.queue("two").at("running") == 2);
  CHECK(world.queue("two").at("waiting") == 5);
  CHECK(world.queue("two").at("concurrency_total") == 5);
  CHECK_THAT(world.why(last), Catch::Contains("queue 'two': 2 of 2 places are taken by run 1, run 2"));
  const auto other = world.submit_ranked({});
  world.clock.advance(1s);
  CHECK(world.memory.runs.at(other).done);
  CHECK(world.done() == 3);
  world.clock.advance(3s);
  CHECK(world.done() == 8);
  CHECK(world.runner->in_flight_max <= 3);
  CHECK(world.queue("two").at("running") == 0);
}

TEST_CASE("a paused queue lets nothing begin, says so, and is still paused after a restart") {
  World world(100);
  const auto at_work = world.submit_ranked({}, "chat");
  world.pause("chat", true);
  const auto held = world.submit_ranked({}, "chat");
  world.clock.advance(10s);
  CHECK(world.memory.runs.at(at_work).done);
  CHECK_FALSE(world.memory.runs.at(held).done);
  CHECK_THAT(world.why(held), Catch::Contains("queue 'chat' was paused by ann"));
  CHECK(world.memory.audit.back().command == "queue.pause");
  std::mt19937_64 random(1);
  world.crash(random);
  world.start();
  world.clock.advance(10s);
  CHECK_FALSE(world.memory.runs.at(held).done);
  CHECK(world.queue("chat").at("paused") == true);
  world.pause("chat", false);
  world.clock.advance(2s);
  CHECK(world.memory.runs.at(held).done);
  CHECK_THROWS_WITH(world.pause("chat", false), Catch::Contains("is not paused"));
  CHECK_THROWS_WITH(world.pause("chta", true), Catch::Contains("there is no queue 'chta'"));
}

TEST_CASE("a run that waits in a queue can be cancelled, and its place is nobody's") {
  World world(100, 1024, {{"one", {.concurrency = 1}}});
  world.submit_backlog(3, {}, "one");
  world.engine->cancel(id(2), {}, [](const engine::Result<engine::Nothing>& done) { REQUIRE(done); });
  world.clock.run_posted();
  CHECK(world.queue("one").at("waiting") == 1);
  CHECK(world.result(id(2)) == "cancelled cancelled: cancelled by ");
  world.clock.advance(2s);
  CHECK(world.ended == std::vector<std::int64_t>{1, 3});
}

TEST_CASE("runs of a queue that had begun go on first after a restart, and resting ones keep their places") {
  World world(100, 1024, {{"one", {.concurrency = 1}}});
  const auto kSleeps = R"(
job: sleeps
queue: one
stages:
  nap: {sleep: 10m}
  work: {needs: [nap], uses: work}
)";
  const auto sleeping = world.submit(kSleeps);
  const auto next = world.submit_ranked(50, "one");
  world.clock.advance(1min);
  CHECK(world.engine->status().at("runs_resting") == 1);
  std::mt19937_64 random(1);
  world.crash(random);
  world.start();
  world.clock.advance(1min);
  CHECK_FALSE(world.memory.runs.at(next).done);
  CHECK(world.queue("one").at("runs") == json::array{model::number(sleeping)});
  world.clock.advance(10min);
  CHECK(world.ended == std::vector<std::int64_t>{model::number(sleeping), model::number(next)});
}

TEST_CASE("an urgent run overtakes a backlog in the store, for steps, in limits and in the order of plugins") {
  World world(64, 16);
  world.submit_backlog(20'000);
  world.clock.advance(20s);
  const auto before = world.ended.size();
  CHECK(before <= 16 * 20);
  SECTION("by its submit") {
    const auto urgent = world.submit_ranked(10);
    world.clock.advance(2s);
    CHECK(world.memory.runs.at(urgent).done);
  }
  SECTION("and another one waits in the order of its number") {
    const auto plain = world.submit_ranked({});
    world.clock.advance(60s);
    CHECK_FALSE(world.memory.runs.at(plain).done);
  }
  SECTION("by its job, in a limit that all of them want") {
    const auto kLimited = R"(
job: limited
limits: {api: 1}
stages: {work: {uses: work, limits: {api: 1}}}
)";
    World limited(64, 1024);
    limited.engine->submit_many({.text = kLimited, .file = "t.yaml"}, std::vector<json::object>(1000), {},
                                [](const auto&) {});
    limited.clock.advance(10s);
    const auto urgent = limited.submit(std::string("priority: 5\n") + kLimited);
    limited.clock.advance(2s);
    CHECK(limited.memory.runs.at(urgent).done);
    CHECK(limited.ended.size() <= 13);
    CHECK(limited.runner->sent.back().priority + limited.runner->sent[limited.runner->sent.size() - 2].priority == 5);
  }
}

TEST_CASE("a place in flight that a run has no use for goes to who waits after it") {
  // The urgent one takes the last place, and would have taken another one for a step that it has not.
  World world(100, 1);
  world.submit_ranked(5);
  world.submit_backlog(5);
  world.clock.advance(1min);
  CHECK(world.done() == 6);
}

TEST_CASE("ageing: a backlog goes on though something more urgent comes all the time") {
  World world(16, 4);
  world.submit_backlog(2'000, -3);
  // Four a second can be done, and four a second come that are three minutes more urgent.
  std::size_t of_backlog = 0;
  for (int second = 0; second < 400; ++second) {
    for (int i = 0; i < 4; ++i) world.submit_ranked(0);
    world.clock.advance(1s);
    of_backlog = static_cast<std::size_t>(
        std::count_if(world.ended.begin(), world.ended.end(), [](std::int64_t run) { return run <= 2'000; }));
    if (second == 150) CHECK(of_backlog <= 60);
  }
  INFO(of_backlog << " of the backlog are done");
  CHECK(of_backlog >= 100);
}

TEST_CASE("a child is at work in its parent's place, and as urgent") {
  World world(100, 1024, {{"one", {.concurrency = 1}}});
  world.job("inner", "job: inner\nqueue: one\nstages: {work: {uses: work}}\n");
  const auto parent = world.submit("job: outer\nqueue: one\npriority: 7\nstages: {child: {run: inner}}\n");
  world.clock.advance(1min);
  CHECK(world.memory.runs.at(parent).done);
  CHECK(world.runner->sent.back().priority == 7);
}

TEST_CASE("a child that waits for its turn ends with its parent, not when its turn comes") {
  World world(100, 1024, {{"one", {.concurrency = 1}}});
  world.job("inner", "job: inner\nqueue: one\nstages: {work: {uses: work}}\n");
  world.submit_ranked({}, "one");
  world.pause("one", true);
  const auto parent = world.submit("job: outer\nstages: {child: {run: inner}}\n");
  world.clock.advance(1min);
  const auto child = *world.run(parent).waits.at("child").child;
  REQUIRE(world.why(child).find("paused") != std::string::npos);
  world.engine->cancel(parent, {7, "ann", {}}, [](const engine::Result<engine::Nothing>& done) { REQUIRE(done); });
  world.clock.advance(1min);
  REQUIRE(world.run(child).done);
  CHECK(world.run(child).done->state == model::RunState::cancelled);
  CHECK(world.run(child).done->failure->message == "cancelled by run " + model::text(parent));
  CHECK(world.run(parent).done);
  CHECK(world.memory.faults.empty());
}

TEST_CASE("many queues, priorities, pauses and restarts lose no run") {
  const auto seed = support::seed();
  INFO("GODWIT_SEED=" << seed);
  std::mt19937_64 random(seed);
  World world(8, 4, {{"a", {.concurrency = 1}}, {"b", {.concurrency = 3}}});
  for (int round = 0; round < 300; ++round) {
    switch (random() % 8) {
      case 0:
        world.submit_backlog(random() % 12);
        break;
      case 1:
        world.crash(random);
        world.start();
        break;
      case 2:
        world.submit_ranked({}, "a");
        world.pause("a", true);
        break;
      case 3:
        if (world.queue("a").contains("paused") && world.queue("a").at("paused") == true) world.pause("a", false);
        break;
      default:
        world.submit_ranked(static_cast<int>(random() % 21) - 10,
                            std::vector<std::string>{"", "a", "b", "c"}[random() % 4]);
    }
    world.clock.advance(std::chrono::milliseconds(random() % 1500));
    for (const auto& queue : world.engine->queues())
      if (!queue.at("concurrency").is_null())
        REQUIRE(queue.at("running").to_number<int>() <= queue.at("concurrency").to_number<int>());
  }
  if (world.queue("a").at("paused") == true) world.pause("a", false);
  world.clock.advance(30min);
  for (const auto& [run, kept] : world.memory.runs) {
    INFO("run " << model::number(run));
    REQUIRE(kept.done);
  }
  CHECK(world.memory.faults.empty());
  for (const auto& queue : world.engine->queues()) CHECK(queue.at("waiting") == 0);
}
