#include <fstream>

#include "pool_world.hpp"
#include "support/temp_dir.hpp"

using namespace godwit;
using support::configured;
using support::Listener;
using support::PoolWorld;

TEST_CASE("a call gives its result, unparsed") {
  PoolWorld world;
  Listener& call = world.start("noop", R"({"b" : 1,  "a":2})");
  CHECK(world.output(call) == R"({"b" : 1,  "a":2})");
  CHECK(call.starts == 1);
}

TEST_CASE("sixty-four calls at once and ten thousand in all come back, each with its own result") {
  PoolWorld world;
  constexpr int total = 10'000;
  std::deque<Listener> listeners(total);
  int next = 0;
  int done = 0;
  std::function<void()> go = [&] {
    if (next == total) return;
    Listener& listener = listeners[static_cast<std::size_t>(next)];
    listener.on_finished = [&] {
      ++done;
      go();
    };
    world.begin(listener, "noop", "[" + std::to_string(next++) + "]");
  };
  for (int i = 0; i < 64; ++i) go();
  world.run_until([&] { return done == total; });
  for (int i = 0; i < total; ++i)
    REQUIRE(std::get<engine::StepSucceeded>(*listeners[static_cast<std::size_t>(i)].outcome).output ==
            "[" + std::to_string(i) + "]");
  CHECK(world.status("test.noop").at("starts") == 1);
}

TEST_CASE("calls over the plugin's concurrency wait in order and are started only then") {
  PoolWorld world;
  std::vector<Listener*> waiting;
  for (int i = 0; i < 3; ++i) waiting.push_back(&world.start("caller", R"({"do": "wait"})"));
  world.run_until([&] { return waiting[0]->starts + waiting[1]->starts == 2; });
  CHECK(waiting[2]->starts == 0);
  CHECK(world.status("test.caller").at("queued") == 1);
  world.pool().cancel(1);
  world.run_until([&] { return waiting[2]->starts == 1; });
  CHECK(std::holds_alternative<engine::StepCancelled>(*waiting[0]->outcome));
  world.pool().cancel(2);
  world.pool().cancel(3);
  CHECK(world.output(*waiting[2]) == "cancelled");
}

// After many short calls the thread that reads the socket runs them itself; a long one must not keep it from reading.
TEST_CASE("a long call after many short ones can be cancelled, and calls beside it go on") {
  PoolWorld world;
  for (int i = 0; i < 200; ++i) world.output(world.start("caller", R"({"do": "who"})"));
  for (int round = 0; round < 3; ++round) {
    Listener& waiting = world.start("caller", R"({"do": "wait"})");
    const auto number = world.last();
    world.run_until([&] { return waiting.starts == 1; });
    for (int i = 0; i < 50; ++i) world.output(world.start("caller", R"({"do": "emit", "rows": [1]})"));
    world.pool().cancel(number);
    world.run_until([&] { return waiting.outcome.has_value(); });
    CHECK(std::holds_alternative<engine::StepCancelled>(*waiting.outcome));
  }
  CHECK(world.status("test.caller").at("starts") == 1);
}

TEST_CASE("a call that waits for a place is cancelled at once") {
  PoolWorld world;
  for (int i = 0; i < 2; ++i) world.start("caller", R"({"do": "wait"})");
  Listener& queued = world.start("caller", R"({"do": "wait"})");
  world.pool().cancel(world.last());
  CHECK(world.output(queued) == "cancelled");
  CHECK(queued.starts == 0);
}

TEST_CASE("what a plugin says by failing arrives as it said it") {
  PoolWorld world;
  const auto failed =
      world.failure(world.start("caller", R"({"do": "fail", "code": "no_offers", "message": "none today"})"));
  CHECK(failed == model::Failure{"no_offers", "none today", false, {}});
  const auto later = world.failure(world.start("caller", R"({"do": "retry"})"));
  CHECK(later == model::Failure{"later", "not now", true, std::chrono::milliseconds(1500)});
  const auto thrown = world.failure(world.start("caller", R"({"do": "throw"})"));
  CHECK(thrown == model::Failure{"exception", "an exception of the plugin", false, {}});
  CHECK(world.failure(world.start("caller", "[1]")).code == "bad_input");
  CHECK(world.failure(world.start("noop", "{broken")).code == "bad_output");
}

TEST_CASE("a result that is not JSON fails the call whatever the plugin returns") {
  PoolWorld world;
  const auto failed = world.failure(world.start("caller", R"({"do": "bad_output"})"));
  CHECK(failed.code == "bad_output");
  CHECK_FALSE(failed.retryable);
}

TEST_CASE("log, stdout, stderr and progress reach the listener before the end") {
  PoolWorld world;
  Listener& call = world.start("caller", R"({"do": "log"})");
  CHECK(world.output(call) == "true");
  CHECK(call.has_line(R"(|a line of the log|{"n":7})"));
  CHECK(call.has_line("|bad \xEF\xBF\xBD bytes|"));
  CHECK(call.has_line("stdout|a line of stdout|"));
  CHECK(call.has_line("stderr|a line of stderr|"));
  REQUIRE_FALSE(call.progresses.empty());
  CHECK(call.progresses.back().done == 1000);
  CHECK(call.progresses.back().fields == R"({"i":1000})");
  CHECK(call.progresses.size() < 100);  // a thousand were made
}

TEST_CASE("rows come with the result, in order") {
  PoolWorld world;
  Listener& call = world.start("caller", R"({"do": "emit", "rows": [1, {"a": 2}, "three"]})");
  CHECK(world.output(call) == "3");
  const auto& rows = std::get<engine::StepSucceeded>(*call.outcome).emitted;
  REQUIRE(rows.size() == 3);
  CHECK(rows[1].topic == "rows");
  CHECK(rows[1].row == R"({"a":2})");
}

TEST_CASE("a call knows its key, its attempt, its deadline and its configuration") {
  PoolWorld world(configured("test.caller", "caller", {{"x", 1}}));
  Listener listener;
  world.begin(listener, "caller", R"({"do": "who"})", std::chrono::seconds(30), 3);
  CHECK(world.output(listener) == R"({"key":"7/step[0]","attempt":3,"deadline":true,"config":{"x":1}})");
}

TEST_CASE("a plugin that refuses its configuration fails its calls with its words") {
  PoolWorld world(configured("test.caller", "caller", {{"refuse", true}}));
  const auto failed = world.failure(world.start("caller", R"({"do": "who"})"));
  CHECK(failed.code == "plugin_unusable");
  CHECK_THAT(failed.message, Catch::Contains("not to its taste"));
  CHECK(world.output(world.start("noop")) == "{}");
}

TEST_CASE("a long step goes on from its checkpoint after its process was killed") {
  const support::TempDir folder;
  const std::string log = (folder / "indices").string();
  PoolWorld world(configured("test.checkpoint", "count_to", {{"log", log}}, folder.path().string()));
  Listener first;
  first.on_checkpoint = [&](const std::string& value) {
    if (value == R"({"done":5,"sum":10})")
      ::kill(static_cast<pid_t>(world.status("test.checkpoint").at("pid").as_int64()), SIGKILL);
  };
  world.begin(first, "count_to", R"({"to": 10, "delay_ms": 5})");
  CHECK_THAT(world.output(first), Catch::StartsWith("lost: crashed") && Catch::Contains("SIGKILL"));
  Listener second;
  second.checkpoints = first.checkpoints;
  world.begin(second, "count_to", R"({"to": 10})", {}, 2);
  const std::string result = world.output(second);
  CHECK_THAT(result, Catch::Contains(R"("sum":45)") && Catch::Contains(R"("attempt":2)") &&
                         !Catch::Contains(R"("started_at":0)"));
  std::ifstream file(log);
  std::map<int, int> times;
  for (int index = 0; file >> index;) ++times[index];
  CHECK(times.size() == 10);
  int twice = 0;
  for (const auto& [index, count] : times) twice += count - 1;
  CHECK(twice <= 1);  // only the index that was cut off
}

TEST_CASE("a checkpoint that cannot be stored is told to the plugin") {
  PoolWorld world;
  Listener listener;
  listener.checkpoints_max = 0;
  world.begin(listener, "count_to", R"({"to": 3})");
  const auto failed = world.failure(listener);
  CHECK(failed.code == "host");
  CHECK(failed.retryable);
}

TEST_CASE("a plugin calls another with a key of its own") {
  const support::TempDir folder;
  const std::string log = (folder / "calls").string();
  PoolWorld world(configured("test.count", "count", {{"log", log}}, folder.path().string()));
  Listener& call = world.start(
      "caller", R"({"do": "invoke", "name": "count-search/1.search", "args": {"day": 3}, "suffix": "third"})");
  CHECK_THAT(world.output(call), Catch::Contains(R"("args":{"day":3})"));
  std::ifstream file(log);
  std::string line;
  std::getline(file, line);
  CHECK_THAT(line, Catch::StartsWith("7/step[1]/third\t{\"day\":3}\t"));
}

TEST_CASE("a nested call that fails says so to its caller") {
  PoolWorld world;
  CHECK_THAT(world.output(world.start("caller", R"({"do": "invoke", "name": "count.find", "args": {}})")),
             Catch::StartsWith("failed: no_such_callable"));
  CHECK_THAT(world.output(world.start("caller", R"({"do": "invoke", "name": "segv", "args": {}})")),
             Catch::StartsWith("failed: crashed") && Catch::Contains("SIGSEGV"));
  const auto retry =
      world.failure(world.start("caller", R"({"do": "invoke", "name": "caller", "args": {"do": "retry"}})"));
  CHECK(retry == model::Failure{"later", "not now", true, std::chrono::milliseconds(1500)});
}

TEST_CASE("calls in a circle fail clearly instead of waiting for ever") {
  PoolWorld world;
  const std::string inner = R"({"do": "invoke", "name": "caller", "args": {"do": "who"}})";
  const std::string outer = R"({"do": "invoke", "name": "caller", "args": )" + inner + "}";
  Listener& call = world.start("caller", outer);  // three places are needed, there are two
  CHECK_THAT(world.output(call), Catch::StartsWith("failed: deadlock"));
  CHECK_THAT(world.output(world.start("caller", inner)), Catch::Contains("\"attempt\":1"));
}

TEST_CASE("a nested call ends with its caller") {
  PoolWorld world;
  Listener& call = world.start("caller", R"({"do": "invoke", "name": "count.search", "args": {"delay_ms": 60000}})");
  world.run_until([&] {
    return world.status("test.count").contains("in_flight") && world.status("test.count").at("in_flight") == 1;
  });
  world.pool().cancel(world.last());
  CHECK(world.output(call) == "cancelled");
  world.run_until([&] { return world.status("test.count").at("in_flight") == 0; });
  CHECK(world.status("test.count").at("crashes") == 0);
}
