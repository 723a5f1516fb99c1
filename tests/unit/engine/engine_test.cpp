#include <catch2/catch.hpp>

#include "support/engine_world.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::EngineWorld;
namespace json = base::json;

namespace {

using Plugin = support::ScriptedRunner::Plugin;

Plugin echo() {
  return {[](const engine::StepCall& call) { return support::succeed(call.input); }};
}

std::vector<std::string> sent_paths(const EngineWorld& world) {
  std::vector<std::string> paths;
  for (const auto& call : world.runner->sent) paths.push_back(call.path);
  return paths;
}

// Calls something that answers with an Answer<T> and gives what it answered.
template <typename T, typename Call>
engine::Result<T> ask(EngineWorld& world, Call call) {
  std::optional<engine::Result<T>> result;
  call([&](engine::Result<T> answer) { result.emplace(std::move(answer)); });
  world.clock.run_posted();
  REQUIRE(result);
  return *result;
}

constexpr auto kTwoStages = R"(
job: two
params: {who: string}
stages:
  first:
    uses: echo
    with: {greeting: "hello ${ params.who }"}
  second:
    uses: echo
    with: {said: "${ stages.first.greeting }"}
result: "${ stages.second.said }"
)";

constexpr auto kFanOut = R"(
job: fan
params: {count: integer}
limits: {slots: 3}
stages:
  each:
    foreach: "${ range(1, params.count) }"
    parallel: 8
    uses: echo
    with: {n: "${ item }"}
    limits: {slots: 1}
    on_item_error: record
result: {ok: "${ stages.each.succeeded }", bad: "${ stages.each.failed }"}
)";

}  // namespace

TEST_CASE("stages run in the order of their needs and hand on their outputs") {
  EngineWorld world;
  world.plugin("echo", echo());
  const auto run = world.submit(kTwoStages, {{"who", "world"}});
  world.run_to_end();
  CHECK(world.result(run) == R"("hello world")");
  CHECK(sent_paths(world) == std::vector<std::string>{"first", "second"});
  CHECK(world.runner->sent[1].idempotency_key == "test:1:second");
  CHECK(world.memory.faults.empty());
}

TEST_CASE("the last step and the end of its run are one transaction") {
  EngineWorld world;
  world.plugin("echo", echo());
  const auto run = world.submit(kTwoStages, {{"who", "x"}});
  world.run_to_end();
  const auto& record = world.run(run);
  CHECK(record.done->at == record.steps.at("second").finished_at);
}

TEST_CASE("a foreach is bounded by its parallelism and by its limits") {
  EngineWorld world;
  auto plugin = echo();
  plugin.takes = [](const auto&) { return 20ms; };
  world.plugin("echo", plugin);
  const auto run = world.submit(kFanOut, {{"count", 40}});
  world.run_to_end();
  CHECK(world.result(run) == R"({"ok":40,"bad":0})");
  CHECK(world.runner->in_flight_max == 3);
}

TEST_CASE("an item's error is recorded and the others go on") {
  EngineWorld world;
  world.plugin("echo", {[](const engine::StepCall& call) {
                 return call.path == "each[4]" ? support::fail("bad_item") : support::succeed(call.input);
               }});
  const auto run = world.submit(kFanOut, {{"count", 10}});
  world.run_to_end();
  CHECK(world.result(run) == R"({"ok":9,"bad":1})");
  CHECK(world.run(run).steps.at("each[4]").failure->code == "bad_item");
}

TEST_CASE("a step's final failure fails the run, names the step and cancels the others") {
  EngineWorld world;
  world.plugin("echo", {[](const engine::StepCall& call) {
                          return call.path == "work[2]" ? support::fail("broken") : support::succeed("1");
                        },
                        [](const engine::StepCall& call) { return call.path == "work[2]" ? 1ms : 10s; }});
  const auto run = world.submit("job: f\nstages:\n  work: {foreach: '${ range(1, 5) }', uses: echo}\n");
  world.run_to_end();
  CHECK(world.result(run) == "failed broken: for the test");
  CHECK(world.run(run).done->failed_path == "work[2]");
  CHECK(world.runner->in_flight() == 0);
  CHECK(world.run(run).steps.size() == 2);  // the list and the failed item: what was cancelled has no end of its own
}

TEST_CASE("only retryable failures are tried again, with growing pauses and the same key") {
  EngineWorld world;
  std::vector<base::Instant> times;
  world.plugin("flaky", {[&](const engine::StepCall& call) {
                 times.push_back(world.clock.now());
                 return call.attempt < 4 ? support::fail("busy", true) : support::succeed("\"done\"");
               }});
  const auto run = world.submit("job: r\nstages:\n  s: {uses: flaky, retry: {attempts: 5, backoff: 1s, jitter: 0}}\n");
  world.run_to_end();
  CHECK(world.result(run) == "\"done\"");
  REQUIRE(times.size() == 4);
  CHECK(times[1] - times[0] == 1s);
  CHECK(times[2] - times[1] == 2s);
  CHECK(times[3] - times[2] == 4s);
  CHECK(world.runner->sent[0].idempotency_key == world.runner->sent[3].idempotency_key);

  world.plugin("flaky", {[](const engine::StepCall&) { return support::fail("wrong", false); }});
  const auto second = world.submit("job: r2\nstages:\n  s: {uses: flaky, retry: {attempts: 5}}\n");
  world.run_to_end();
  CHECK(world.result(second) == "failed wrong: for the test");
}

TEST_CASE("a backoff outlives the process that decided it") {
  EngineWorld world;
  world.plugin("flaky", {[](const engine::StepCall& call) {
                 return call.attempt == 1 ? support::fail("busy", true) : support::succeed("2");
               }});
  const auto run = world.submit("job: r\nstages:\n  s: {uses: flaky, retry: {attempts: 2, backoff: 1h, jitter: 0}}\n");
  world.clock.advance(1s);
  std::mt19937_64 random(1);
  world.crash(random);
  world.start();
  world.clock.advance(30min);
  CHECK(world.runner->sent.empty());
  world.clock.advance(31min);
  CHECK(world.result(run) == "2");
  CHECK(world.runner->sent.at(0).attempt == 2);
}

TEST_CASE("a stage whose condition is false is skipped and counts as done") {
  EngineWorld world;
  world.plugin("echo", echo());
  const auto run = world.submit(
      "job: w\nparams: {go: boolean}\nstages:\n  maybe: {uses: echo, when: '${ params.go }', with: {v: 1}}\n  after: "
      "{needs: [maybe], uses: echo, with: {v: 2}}\n"
      "result: {maybe: '${ stages.maybe }', after: '${ stages.after }'}\n",
      {{"go", false}});
  world.run_to_end();
  CHECK(world.result(run) == R"({"maybe":null,"after":{"v":2}})");
  CHECK(world.run(run).steps.at("maybe").state == model::StepState::skipped);
}

TEST_CASE("rows are emitted with the step that made them") {
  EngineWorld world;
  world.plugin("echo", echo());
  world.submit(
      "job: e\nstages:\n  s: {foreach: '${ range(1, 3) }', uses: echo, with: {n: '${ item }'}, emit: {to: numbers, "
      "rows: {n: '${ output.n * 10 }'}}}\n");
  world.run_to_end();
  REQUIRE(world.memory.emitted.size() == 3);
  CHECK(world.memory.emitted[0].topic == "numbers");
  std::set<std::string> rows;
  for (const auto& row : world.memory.emitted) rows.insert(row.row);
  CHECK(rows == std::set<std::string>{R"({"n":10})", R"({"n":20})", R"({"n":30})"});
}

TEST_CASE("the same key gives the same run") {
  EngineWorld world;
  world.plugin("echo", echo());
  const auto first = world.submit(kTwoStages, {{"who", "a"}}, "order-1");
  const auto again = world.submit(kTwoStages, {{"who", "b"}}, "order-1");
  world.run_to_end();
  CHECK(first == again);
  CHECK(world.memory.runs.size() == 1);
}

TEST_CASE("a submit is refused with every violation before anything is stored") {
  EngineWorld world;
  CHECK_THROWS_WITH(world.submit(kTwoStages, {{"who", "x"}}), Catch::Contains("no plugin gives 'echo'"));
  world.plugin("echo", echo());
  CHECK_THROWS_WITH(world.submit(kTwoStages, {{"whom", "x"}}), Catch::Contains("who"));
  CHECK(world.memory.runs.empty());
}

TEST_CASE("nothing is acknowledged and nothing is built upon while the store is away") {
  EngineWorld world;
  world.plugin("echo", echo());
  const auto run = world.submit(kFanOut, {{"count", 500}});
  world.clock.run_posted();
  world.store->set_away(true);
  world.clock.advance(1h);
  CHECK(world.runner->sent.size() <= 2 * 8 - 1);
  bool answered = false;
  world.engine->submit({.text = kTwoStages, .file = "t.yaml", .params = {{"who", "x"}}}, {},
                       [&](auto) { answered = true; });
  world.clock.advance(1s);
  CHECK_FALSE(answered);
  world.store->set_away(false);
  world.run_to_end();
  CHECK(answered);
  CHECK(world.result(run) == R"({"ok":500,"bad":0})");
  CHECK(world.memory.faults.empty());
}

TEST_CASE("an item takes the place of one whose outcome is not stored yet, as long as few are") {
  const auto [parallel, sent] = GENERATE(table<int, std::size_t>({{1, 1}, {2, 3}, {5, 9}}));
  EngineWorld world;
  auto plugin = echo();
  plugin.takes = [](const auto&) { return 20ms; };
  world.plugin("echo", plugin);
  const auto run =
      world.submit("job: items\nstages:\n  each: {foreach: '${ range(1, 40) }', parallel: " + std::to_string(parallel) +
                   ", uses: echo}\nresult: '${ stages.each.count }'\n");
  world.clock.run_posted();
  world.store->set_away(true);
  world.clock.advance(1h);
  CHECK(world.runner->sent.size() == sent);
  CHECK(world.runner->in_flight_max == static_cast<std::size_t>(parallel));
  world.store->set_away(false);
  world.run_to_end();
  CHECK(world.result(run) == "40");
}

TEST_CASE("cancel ends what is under way and the run") {
  EngineWorld world;
  world.plugin("echo", echo());
  world.runner->hold = {"each[0]", "each[1]", "each[2]"};
  const auto run = world.submit(kFanOut, {{"count", 10}});
  world.clock.advance(1s);
  REQUIRE(ask<engine::Nothing>(world, [&](auto answer) { world.engine->cancel(run, {7, "ann"}, answer); }));
  world.run_to_end();
  CHECK(world.result(run) == "cancelled cancelled: cancelled by ann");
  CHECK(world.memory.audit.at(0).uid == 7);
  CHECK_FALSE(ask<engine::Nothing>(world, [&](auto answer) { world.engine->cancel(run, {}, answer); }));
}

TEST_CASE("a cancelled run starts nothing with what its own steps give back") {
  EngineWorld world;
  int calls = 0;
  world.plugin("echo", {[&](const engine::StepCall& call) {
                          return ++calls == 1 ? support::fail("busy", true) : support::succeed(call.input);
                        }});
  world.runner->hold = {"each[0]"};
  world.submit("job: h\nlimits: {door: 2}\nstages:\n  each: {foreach: '${ range(1, 1) }', uses: echo, limits: {door: 1}}\n");
  // When `small` comes back from its pause it waits behind `large`, which waits for more than is free.
  const auto run = world.submit(
      "job: c\nlimits: {door: 2}\nstages:\n  small: {uses: echo, limits: {door: 1}, retry: {attempts: 2, backoff: 1s}}\n"
      "  large: {uses: echo, limits: {door: 2}}\n");
  world.clock.advance(10s);
  REQUIRE(sent_paths(world) == std::vector<std::string>{"each[0]", "small"});
  REQUIRE(ask<engine::Nothing>(world, [&](auto answer) { world.engine->cancel(run, {7, "ann"}, answer); }));
  world.run_to_end();
  CHECK(world.result(run) == "cancelled cancelled: cancelled by ann");
  CHECK(sent_paths(world).size() == 2);
  CHECK(world.engine->limits().at(0).at("used") == 1);
}

// What godwit could not read again would end it at each start, and hold up what comes after it.
TEST_CASE("what an expression gives and JSON cannot hold fails its step, and nobody else's") {
  const auto [stage, said] = GENERATE(table<std::string, std::string>({
      {"sleep: 1s, output: {a: \"${ params.t:sub(1, 2) }\"}", "not UTF-8"},
      {"uses: echo, with: {n: 1}, output: {a: {b: {c: {d: \"${ params.deep }\"}}}}", "nested deeper than 64 levels"},
      {"uses: echo, with: {a: \"${ {[params.t:sub(1, 2)] = 1} }\"}", "not UTF-8"},
      {"uses: echo, with: {a: {b: \"${ {{{{params.deep}}}} }\"}}", "nested deeper than 64 levels"},
  }));
  INFO(stage);
  EngineWorld world;
  world.plugin("echo", echo());
  json::value deep = 1;
  for (int level = 0; level < 61; ++level) deep = json::array{deep};
  const auto run = world.submit("job: cut\nparams: {t: string, deep: {}}\nstages:\n  one: {" + stage + "}\n",
                                {{"t", "\xe6\x97\xa5\xe6\x9c\xac"}, {"deep", deep}});
  const auto neighbour = world.submit(kTwoStages, {{"who", "x"}});
  world.run_to_end();
  CHECK_THAT(world.result(run), Catch::StartsWith("failed ") && Catch::Contains(said));
  CHECK(world.result(neighbour) == R"("hello x")");
}

TEST_CASE("a paused run starts nothing and goes on when resumed, also after a restart") {
  EngineWorld world;
  world.plugin("echo", echo());
  world.runner->hold = {"first"};
  const auto run = world.submit(kTwoStages, {{"who", "x"}});
  world.clock.advance(1s);
  REQUIRE(ask<engine::Nothing>(world, [&](auto answer) { world.engine->pause(run, {}, answer); }));
  std::mt19937_64 random(3);
  world.crash(random);
  world.start();
  world.clock.advance(1h);
  CHECK(world.runner->sent.empty());
  CHECK(world.engine->live(run).at("state") == "paused");
  REQUIRE(ask<engine::Nothing>(world, [&](auto answer) { world.engine->resume(run, {}, answer); }));
  world.run_to_end();
  CHECK(world.result(run) == R"("hello x")");
}

TEST_CASE("an unsafe call that was cut off blocks its run until a person decides") {
  EngineWorld world;
  auto pay = echo();
  pay.retry_safe = false;
  world.plugin("pay", pay);
  world.runner->hold = {"charge"};
  const auto run = world.submit("job: p\nstages:\n  charge: {uses: pay, with: {v: 5}}\n");
  world.clock.advance(1s);
  REQUIRE(world.runner->sent.size() == 1);
  std::mt19937_64 random(4);
  world.crash(random);
  world.start();
  world.run_to_end();
  CHECK(world.runner->sent.empty());
  auto why = ask<json::object>(world, [&](auto answer) { world.engine->why(run, answer); });
  CHECK(why->at("state") == "blocked");
  CHECK_THAT(json::serialize(*why), Catch::Contains("unknown outcome of charge") &&
                                        Catch::Contains("--set charge=OUTPUT` go on from there"));
  REQUIRE(ask<model::RunId>(world, [&](auto answer) { world.engine->retry(run, {}, {}, answer); }));
  world.run_to_end();
  CHECK(world.result(run) == R"({"v":5})");
  CHECK(world.runner->sent.at(0).attempt == 2);
}

TEST_CASE("a lost host is forgiven to a safe call and blocks an unsafe one") {
  EngineWorld world;
  int lost = 0;
  const auto lose_twice = [&](const engine::StepCall& call) -> engine::StepOutcome {
    if (lost++ < 2) return engine::StepLost{{"crashed", "signal SIGSEGV", true, {}}};
    return support::succeed(call.input);
  };
  world.plugin("safe", {lose_twice});
  const auto first = world.submit("job: a\nstages:\n  s: {uses: safe, with: {v: 1}}\n");
  world.run_to_end();
  CHECK(world.result(first) == R"({"v":1})");
  lost = 0;
  world.plugin("unsafe", {lose_twice, {}, false});
  const auto second = world.submit("job: b\nstages:\n  s: {uses: unsafe, with: {v: 1}}\n");
  world.run_to_end();
  CHECK(world.result(second) == "not ended");
  CHECK(world.engine->live(second).at("state") == "blocked");
  REQUIRE(ask<engine::Nothing>(world, [&](auto answer) { world.engine->cancel(second, {}, answer); }));
  world.run_to_end();
  CHECK(world.run(second).done->state == model::RunState::cancelled);
}

TEST_CASE("a plugin that always crashes fails its own step with the cause") {
  EngineWorld world;
  world.plugin("segv", {[](const engine::StepCall&) -> engine::StepOutcome {
                 return engine::StepLost{{"crashed", "signal SIGSEGV", true, {}}};
               }});
  world.plugin("echo", echo());
  const auto bad = world.submit("job: a\nstages:\n  s: {uses: segv, with: {v: 1}}\n");
  const auto good = world.submit("job: b\nstages:\n  s: {uses: echo, with: {v: 1}}\n");
  world.run_to_end();
  CHECK(world.result(bad) == "failed crashed: signal SIGSEGV");
  CHECK(world.result(good) == R"({"v":1})");
}

TEST_CASE("a failed run is continued by a new one that keeps what was finished") {
  EngineWorld world;
  bool broken = true;
  world.plugin("echo", {[&](const engine::StepCall& call) {
                 return call.path == "second" && broken ? support::fail("down") : support::succeed(call.input);
               }});
  const auto run = world.submit(kTwoStages, {{"who", "x"}});
  world.run_to_end();
  REQUIRE(world.result(run) == "failed down: for the test");
  broken = false;
  world.runner->sent.clear();
  auto anew = ask<model::RunId>(world, [&](auto answer) { world.engine->retry(run, {}, {}, answer); });
  REQUIRE(anew);
  world.run_to_end();
  CHECK(*anew != run);
  CHECK(world.result(*anew) == R"("hello x")");
  CHECK(sent_paths(world) == std::vector<std::string>{"second"});
  world.runner->sent.clear();
  auto third =
      ask<model::RunId>(world, [&](auto answer) { world.engine->retry(*anew, {.from = "first"}, {}, answer); });
  REQUIRE(third);
  world.run_to_end();
  CHECK(sent_paths(world) == std::vector<std::string>{"first", "second"});
  CHECK_FALSE(ask<model::RunId>(world, [&](auto answer) { world.engine->retry(*third, {}, {}, answer); }));
  CHECK_FALSE(
      ask<model::RunId>(world, [&](auto answer) { world.engine->retry(*third, {.from = "nowhere"}, {}, answer); }));
}

TEST_CASE("a run is continued with what a person gives it instead") {
  EngineWorld world;
  world.plugin("echo", {[&](const engine::StepCall& call) {
                 return call.path == "b" || call.path == "each[1]" ? support::fail("down")
                                                                   : support::succeed(call.input);
               }});
  const auto run = world.submit(
      "job: parts\nparams: {n: integer, size: {type: object, default: {w: 1}}}\nstages:\n  a: {uses: echo, with: {v: "
      "'${ "
      "params.n }'}}\n  b: {uses: echo, with: {v: '${ stages.a.v }'}}\n  each: {needs: [b], foreach: '${ range(1, 3) "
      "}', uses: "
      "echo, with: {i: '${ item }'}}\nresult: {b: '${ stages.b }', n: '${ params.n }', w: '${ params.size.w }', each: "
      "'${ "
      "map(stages.each.items, function(i) return i.state end) }'}\n",
      {{"n", 1}});
  world.run_to_end();
  REQUIRE(world.run(run).done->failed_path == "b");
  const auto retry = [&](engine::Engine::Retry how, model::RunId of) {
    world.runner->sent.clear();
    auto anew = ask<model::RunId>(world, [&](auto answer) { world.engine->retry(of, how, {7, "ann", {}}, answer); });
    if (!anew) throw anew.error();
    world.run_to_end();
    return *anew;
  };
  const auto second = retry({.set = {{"b", "{\"v\":9}"}, {"params.size.w", "5"}}}, run);
  CHECK(world.run(second).done->failed_path == "each[1]");
  CHECK(sent_paths(world) == std::vector<std::string>{"each[0]", "each[1]", "each[2]"});
  const auto third = retry({.skip = {"each[1]"}}, second);
  CHECK(world.result(third) == R"({"b":{"v":9},"n":1,"w":5,"each":["succeeded","skipped","succeeded"]})");
  for (const auto& path : sent_paths(world)) CHECK((path == "each[0]" || path == "each[2]"));
  CHECK(world.memory.audit.back().detail.find("\"skip\":[\"each[1]\"]") != std::string::npos);
  CHECK_THROWS_WITH(retry({.skip = {"nowhere"}}, run), Catch::Contains("skip: job 'parts' has no step 'nowhere'"));
  CHECK_THROWS_WITH(retry({.set = {{"each", "1"}}}, run), Catch::Contains("name one: each[0]"));
  CHECK_THROWS_WITH(retry({.set = {{"params.n", "\"x\""}}}, run), Catch::Contains("n"));
  CHECK_THROWS_WITH(retry({.from = "b", .set = {{"each[0]", "1"}}}, run), Catch::Contains("is done again by `from`"));
}

TEST_CASE("a run that outlives its timeout fails") {
  EngineWorld world;
  auto slow = echo();
  slow.takes = [](const auto&) { return 2h; };
  world.plugin("slow", slow);
  const auto run = world.submit("job: t\ntimeout: 1h\nstages:\n  s: {uses: slow, with: {v: 1}}\n");
  world.clock.advance(59min);
  CHECK(world.result(run) == "not ended");
  world.clock.advance(2min);
  CHECK(world.run(run).done->failure->code == "timeout");
}

TEST_CASE("what the store refuses fails its step in words of ours") {
  EngineWorld world;
  world.plugin("echo", {[](const engine::StepCall&) { return support::succeed("\"poison\""); }});
  world.store->refused_text = "poison";
  const auto run = world.submit("job: s\nstages:\n  s: {uses: echo, with: {v: 1}}\n");
  world.run_to_end();
  CHECK(world.run(run).done->failure->code == "store_refused");
  CHECK(world.run(run).steps.at("s").state == model::StepState::failed);
  CHECK(world.memory.faults.empty());
}

TEST_CASE("input that the plugin's schema refuses fails the step with its paths") {
  EngineWorld world;
  auto strict = echo();
  strict.schema =
      base::parse_json(R"({"type":"object","properties":{"day":{"type":"string"}},"required":["day"]})").as_object();
  world.plugin("strict", strict);
  CHECK_THROWS_WITH(world.submit("job: s\nstages:\n  s: {uses: strict, with: {day: 5}}\n"), Catch::Contains("day"));
  const auto run = world.submit(
      "job: s\nparams: {d: integer}\nstages:\n  s: {uses: strict, with: {day: '${ params.d }'}}\n", {{"d", 5}});
  world.run_to_end();
  CHECK(world.run(run).done->failure->code == "bad_input");
  CHECK(world.runner->sent.empty());
}

TEST_CASE("more runs than fit in memory wait in the store and all end") {
  EngineWorld world({.active_runs_max = 4});
  auto slow = echo();
  slow.takes = [](const auto&) { return 10ms; };
  world.plugin("echo", slow);
  std::vector<model::RunId> runs;
  for (int i = 0; i < 50; ++i) runs.push_back(world.submit("job: m\nstages:\n  s: {uses: echo, with: {v: 1}}\n"));
  CHECK(world.engine->status().at("runs_in_memory").to_number<int>() <= 4);
  world.run_to_end();
  for (const auto run : runs) CHECK(world.result(run) == R"({"v":1})");
  CHECK(world.runner->sent.size() == 50);
}

TEST_CASE("submits by SQL are taken, and bad ones end as failed with the reason") {
  EngineWorld world;
  world.plugin("echo", echo());
  world.memory.inbox.push_back({model::RunId(901), "nowhere", "{}", "", "app", {}});
  world.start();
  world.run_to_end();
  CHECK(world.run(model::RunId(901)).done->failure->code == "refused");
  CHECK(world.memory.inbox.empty());
}

TEST_CASE("why names the limit and who holds it") {
  EngineWorld world;
  world.plugin("echo", echo());
  world.runner->hold = {"each[0]"};
  const std::string one =
      "job: l\nlimits: {door: 1}\nstages:\n  each: {foreach: '${ range(1, 1) }', uses: echo, limits: {door: 1}}\n";
  const auto first = world.submit(one);
  const auto second = world.submit(one);
  world.clock.advance(1s);
  auto why = ask<json::object>(world, [&](auto answer) { world.engine->why(second, answer); });
  const std::string text = json::serialize(*why);
  CHECK(why->at("state") == "waiting");
  CHECK(text.find("limit 'door'") != std::string::npos);
  CHECK(text.find(model::text(first) + "/each[0]") != std::string::npos);
}

TEST_CASE("a drain lets running steps finish and leaves the rest for the next life") {
  EngineWorld world;
  auto slow = echo();
  slow.takes = [](const auto&) { return 1s; };
  world.plugin("echo", slow);
  const auto run = world.submit(kFanOut, {{"count", 30}});
  world.clock.advance(100ms);
  bool drained = false;
  world.engine->drain([&] { drained = true; });
  world.clock.advance(10s);
  CHECK(drained);
  const auto sent = world.runner->sent.size();
  CHECK(sent == 3);
  std::mt19937_64 random(5);
  world.crash(random);
  world.start();
  world.run_to_end();
  CHECK(world.result(run) == R"({"ok":30,"bad":0})");
  CHECK(world.runner->sent.size() == 30 - sent);
}

TEST_CASE("followers hear of progress and of the end") {
  EngineWorld world;
  auto slow = echo();
  slow.takes = [](const auto&) { return 1s; };
  world.plugin("echo", slow);
  const auto run = world.submit(kFanOut, {{"count", 6}});
  std::vector<json::object> events;
  const auto number = world.engine->follow(run, engine::Interest::everything, [&](const json::object& event) { events.push_back(event); });
  world.run_to_end();
  REQUIRE_FALSE(events.empty());
  CHECK(events.back().at("event") == "state");
  CHECK(events.back().at("state") == "succeeded");
  CHECK(events.front().at("event") == "progress");
  world.engine->unfollow(number);
}

TEST_CASE("followers hear what a run does now, and not only that it goes on") {
  EngineWorld world;
  auto slow = echo();
  slow.takes = [](const auto&) { return 10s; };
  world.plugin("echo", slow);
  const std::string one = "limits: {door: 1}\nstages:\n  s: {uses: echo, limits: {door: 1}}\n";
  world.submit("job: first\n" + one);
  const auto run = world.submit("job: second\n" + one);
  CHECK(world.engine->live(run).at("state") == "waiting");
  std::vector<std::string> states;
  world.engine->follow(run, engine::Interest::everything, [&](const json::object& event) {
    if (const auto* state = event.if_contains("state")) states.emplace_back(state->as_string());
  });
  world.run_to_end();
  states.erase(std::unique(states.begin(), states.end()), states.end());
  CHECK(states == std::vector<std::string>{"running", "succeeded"});
}

TEST_CASE("all calls in doubt are named, and a run that goes on from one that was cancelled is in doubt as well") {
  EngineWorld world;
  auto pay = echo();
  pay.retry_safe = false;
  world.plugin("pay", pay);
  world.runner->hold = {"charge[0]", "charge[1]", "charge[2]"};
  const auto run = world.submit(
      "job: p\nstages:\n  charge: {foreach: '${ {1, 2, 3} }', uses: pay, with: {v: '${ item }'}}\nresult: '${ "
      "map(stages.charge.items, function(one) return one.output.v end) }'\n");
  world.clock.advance(1s);
  REQUIRE(world.runner->sent.size() == 3);
  std::mt19937_64 random(4);
  world.crash(random);
  world.start();
  world.run_to_end();
  CHECK(world.runner->sent.empty());
  auto why = ask<json::object>(world, [&](auto answer) { world.engine->why(run, answer); });
  CHECK_THAT(json::serialize(*why), Catch::Contains("unknown outcome of charge[0], charge[1], charge[2]") &&
                                        Catch::Contains("makes all of them again"));
  REQUIRE(ask<engine::Nothing>(world, [&](auto answer) { world.engine->cancel(run, {}, answer); }));
  const auto anew = ask<model::RunId>(world, [&](auto answer) {
    world.engine->retry(run, {.set = {{"charge[2]", R"({"v":30})"}}}, {}, answer);
  });
  REQUIRE(anew);
  world.run_to_end();
  CHECK(world.runner->sent.empty());
  why = ask<json::object>(world, [&](auto answer) { world.engine->why(*anew, answer); });
  CHECK_THAT(json::serialize(*why), Catch::Contains("unknown outcome of charge[0], charge[1]: run "));
  REQUIRE(ask<model::RunId>(world, [&](auto answer) { world.engine->retry(*anew, {}, {}, answer); }));
  world.run_to_end();
  CHECK(world.runner->sent.size() == 2);
  CHECK(world.result(*anew) == "[1,2,30]");
}

TEST_CASE("a run that cannot be read is blocked, and the others go on") {
  EngineWorld world;
  world.plugin("echo", echo());
  world.runner->hold = {"first"};
  const auto bad = world.submit(kTwoStages, {{"who", "x"}});
  const auto good = world.submit(kTwoStages, {{"who", "y"}});
  world.clock.advance(1s);
  std::mt19937_64 random(4);
  world.crash(random);
  world.memory.runs.at(bad).submitted.params = R"({"who":1e999})";
  world.start();
  world.run_to_end();
  CHECK(world.result(good) == R"("hello y")");
  CHECK(world.result(bad) == "not ended");
  REQUIRE(world.memory.runs.at(bad).changes.size() == 1);
  CHECK_THAT(world.memory.runs.at(bad).changes.front().detail, Catch::Contains("what is stored of it cannot be read"));
}

TEST_CASE("an end that cannot be stored blocks its run instead of being tried for ever") {
  EngineWorld world;
  world.plugin("echo", echo());
  world.store->refused_end = true;
  const auto run = world.submit(kTwoStages, {{"who", "x"}});
  world.run_to_end(10'000);
  CHECK(world.engine->live(run).at("state") == "blocked");
  world.store->refused_end = false;
  REQUIRE(ask<model::RunId>(world, [&](auto answer) { world.engine->retry(run, {}, {}, answer); }));
  world.run_to_end();
  CHECK_THAT(world.result(run), Catch::StartsWith("failed store_refused"));
}

TEST_CASE("several runs of a unique job at once, and a key that is too long, are refused before anything is stored") {
  EngineWorld world;
  world.plugin("echo", echo());
  constexpr auto kUnique = "job: u\nunique: {key: '${ 1 }'}\nstages:\n  a: {uses: echo}\n";
  std::string why;
  world.engine->submit_many({.text = kUnique, .file = "u.yaml"}, std::vector<json::object>(3), {},
                            [&](const engine::Result<std::vector<model::RunId>>& runs) {
                              REQUIRE_FALSE(runs);
                              why = runs.error().what();
                            });
  world.clock.run_posted();
  CHECK_THAT(why, Catch::Contains("runs of job 'u' are unique, so 3 cannot be submitted at once"));
  CHECK_THROWS_WITH(world.submit(kTwoStages, {{"who", "x"}}, std::string(1001, 'k')),
                    Catch::Contains("the key has 1001 bytes, and at most 1000 are kept"));
  CHECK(world.memory.runs.empty());
  world.submit(kTwoStages, {{"who", "x"}}, std::string(1000, 'k'));
  CHECK(world.memory.runs.size() == 1);
}
