// Goal: lists of stages inside items, lists that grow and stages at the end of a run come to the same end whenever the
// process dies, and nothing that was finished is done again. Method: jobs on the engine's world, in peace and with a
// crash after each step.
#include <catch2/catch.hpp>

#include "support/engine_world.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::EngineWorld;
namespace json = base::json;

namespace {

support::ScriptedRunner::Plugin echo() {
  return {[](const engine::StepCall& call) { return support::succeed(call.input); }};
}

template <typename T, typename Call>
engine::Result<T> ask(EngineWorld& world, Call call) {
  std::optional<engine::Result<T>> result;
  call([&](engine::Result<T> answer) { result.emplace(std::move(answer)); });
  world.clock.run_posted();
  REQUIRE(result);
  return *result;
}

// A site: page n links to 2n and 2n + 1, as long as those are below 40, and back to page 1.
support::ScriptedRunner::Plugin site() {
  return {[](const engine::StepCall& call) {
    const auto page = base::parse_json(call.input).at("page").to_number<int>();
    json::array links{1};
    for (const int next : {2 * page, 2 * page + 1})
      if (next < 40) links.emplace_back(next);
    return support::succeed(json::serialize(json::object{{"page", page}, {"links", std::move(links)}}));
  }};
}

constexpr auto kItems = R"(
job: items
params: {n: integer}
stages:
  base: {uses: echo, with: {add: 100}}
  pages:
    foreach: "${ range(1, params.n) }"
    parallel: 3
    stages:
      fetch: {uses: echo, with: {v: "${ item + stages.base.add }"}}
      parts:
        foreach: "${ range(1, 2) }"
        uses: echo
        with: {p: "${ stages.fetch.v * 10 + item }"}
      store: {uses: echo, with: {sum: "${ stages.parts.items[1].output.p + stages.parts.items[2].output.p }"}}
    output: {page: "${ item }", sum: "${ stages.store.sum }"}
result: "${ map(stages.pages.items, function(i) return i.output.sum end) }"
)";

constexpr auto kCrawl = R"(
job: crawl
stages:
  pages:
    foreach: {items: "${ {1} }", grow: "${ output.links }", key: "${ item }", depth: 3, max: 1000}
    parallel: 4
    uses: fetch
    with: {page: "${ item }"}
result: "${ map(stages.pages.items, function(i) return i.item end) }"
)";

constexpr auto kEnds = R"(
job: ends
params: {fail: boolean}
stages:
  first: {uses: echo, with: {v: 1}}
  work: {needs: [first], uses: maybe, with: {fail: "${ params.fail }"}}
on_failure:
  tell: {uses: echo, with: {code: "${ outcome.error.code }", step: "${ outcome.error.step }", first: "${ stages.first.v }"}}
  after: {needs: [tell], uses: echo, with: {told: "${ stages.tell.code }"}}
on_success:
  cheer: {uses: echo, with: {result: "${ outcome.result }"}}
on_cancel:
  clean: {uses: echo, with: {state: "${ outcome.state }"}}
)";

support::ScriptedRunner::Plugin maybe() {
  return {[](const engine::StepCall& call) {
    return base::parse_json(call.input).at("fail").as_bool() ? support::fail("broken") : support::succeed("7");
  }};
}

// Plays the job with a crash after each `every`-th piece of work; no finished step may be sent again.
std::string play(const std::string& yaml, json::object params, int every, std::uint64_t seed,
                 model::RunId* last = nullptr, EngineWorld* given = nullptr) {
  EngineWorld own;
  EngineWorld& world = given ? *given : own;
  world.plugin("echo", echo());
  world.plugin("fetch", site());
  world.plugin("maybe", maybe());
  const auto run = world.submit(yaml, std::move(params));
  std::mt19937_64 random(seed);
  std::set<std::string> recorded;
  for (int step = 1; step < 20'000 && !world.run(run).done; ++step) {
    if (!world.clock.run_one() && !world.clock.next_timer()) break;
    if (every > 0 && step % every == 0) {
      world.crash(random);
      recorded.clear();
      for (const auto& [path, done] : world.run(run).steps) recorded.insert(path);
      world.start();
    }
    for (const auto& call : world.runner->sent) CHECK_FALSE(recorded.contains(call.path));
  }
  for (const auto& fault : world.memory.faults) FAIL(fault);
  if (last) *last = run;
  return world.result(run);
}

}  // namespace

TEST_CASE("each item of a foreach can be a list of stages, with lists of its own") {
  const std::string result = play(kItems, {{"n", 4}}, 0, 0);
  CHECK(result == "[2023,2043,2063,2083]");
  for (int every = 7; every < 40; every += 3)
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      INFO("a crash after each " << every << " pieces of work, seed " << seed);
      CHECK(play(kItems, {{"n", 4}}, every, seed) == result);
    }
}

TEST_CASE("the paths of an item's steps say where they stand") {
  EngineWorld world;
  model::RunId run{};
  play(kItems, {{"n", 1}}, 0, 0, &run, &world);
  std::vector<std::string> paths;
  for (const auto& [path, step] : world.run(run).steps) paths.push_back(path);
  CHECK(paths == std::vector<std::string>{"base", "pages[0]", "pages[0]/fetch", "pages[0]/parts[0]",
                                          "pages[0]/parts[1]", "pages[0]/parts[]", "pages[0]/store", "pages[]"});
}

TEST_CASE("a failed stage fails its item, and the job says what that means") {
  const auto job = [](const std::string& rule) {
    return "job: f\nstages:\n  pages:\n    foreach: '${ {false, true, false} }'\n    on_item_error: " + rule +
           "\n    stages:\n      a: {uses: maybe, with: {fail: '${ item }'}}\n      b: {uses: echo, with: {v: '${ "
           "stages.a "
           "}'}}\nresult: {ok: '${ stages.pages.succeeded }', why: '${ stages.pages.items[2].error.message }'}\n";
  };
  CHECK(play(job("record"), {}, 0, 0) == R"({"ok":2,"why":"pages[1]/a: for the test"})");
  CHECK(play(job("record"), {}, 9, 1) == R"({"ok":2,"why":"pages[1]/a: for the test"})");
  CHECK(play(job("fail"), {}, 0, 0) == "failed broken: pages[1]/a: for the test");
}

TEST_CASE("a list grows by what its steps find: each key once, to its depth and size") {
  const auto sorted = [](const std::string& text) {
    std::set<int> items;
    const auto parsed = base::parse_json(text);
    for (const auto& item : parsed.as_array()) CHECK(items.insert(item.to_number<int>()).second);
    return items;
  };
  std::set<int> wanted;
  for (int i = 1; i < 16; ++i) wanted.insert(i);
  CHECK(sorted(play(kCrawl, {}, 0, 0)) == wanted);
  for (int every = 11; every < 60; every += 7) {
    INFO("a crash after each " << every << " pieces of work");
    CHECK(sorted(play(kCrawl, {}, every, static_cast<std::uint64_t>(every))) == wanted);
  }
  std::string small = kCrawl;
  small.replace(small.find("max: 1000"), 9, "max: 5");
  CHECK(sorted(play(small, {}, 0, 0)).size() == 5);
}

TEST_CASE("stages at the end of a run know how it ended, and do not change it") {
  EngineWorld world;
  model::RunId run{};
  CHECK(play(kEnds, {{"fail", false}}, 0, 0, &run, &world) == "7");
  CHECK(world.run(run).steps.at("on_success/cheer").output == R"({"result":7})");
  CHECK(play(kEnds, {{"fail", true}}, 0, 0, &run, &world) == "failed broken: for the test");
  CHECK(world.run(run).steps.at("on_failure/tell").output == R"({"code":"broken","step":"work","first":1})");
  CHECK(world.run(run).steps.at("on_failure/after").output == R"({"told":"broken"})");
  CHECK_FALSE(world.run(run).steps.contains("on_success/cheer"));
}

TEST_CASE("the end of a run is done to its end, whenever the process dies") {
  for (const bool fail : {false, true})
    for (int every = 5; every < 30; every += 2) {
      INFO("a crash after each " << every << " pieces of work");
      EngineWorld world;
      model::RunId run{};
      CHECK(play(kEnds, {{"fail", fail}}, every, static_cast<std::uint64_t>(every), &run, &world) ==
            (fail ? "failed broken: for the test" : "7"));
      CHECK(world.run(run).steps.contains(fail ? "on_failure/after" : "on_success/cheer"));
    }
}

TEST_CASE("a cancelled run cleans up, and a failing end leaves the end as it is") {
  EngineWorld world;
  world.plugin("echo", echo());
  world.plugin("maybe", maybe());
  world.runner->hold = {"work"};
  const auto run = world.submit(kEnds, {{"fail", false}});
  world.clock.advance(1s);
  REQUIRE(ask<engine::Nothing>(world, [&](auto answer) { world.engine->cancel(run, {7, "ann", {}}, answer); }));
  world.run_to_end();
  CHECK(world.result(run) == "cancelled cancelled: cancelled by ann");
  CHECK(world.run(run).steps.at("on_cancel/clean").output == R"({"state":"cancelled"})");
  const auto bad = world.submit(
      "job: b\nstages:\n  s: {uses: echo}\nresult: 5\non_success:\n  t: {uses: maybe, with: {fail: true}}\n");
  world.run_to_end();
  CHECK(world.result(bad) == "5");
  CHECK(world.run(bad).steps.at("on_success/t").state == model::StepState::failed);
}

TEST_CASE("a submit can ask for some of the stages") {
  EngineWorld world;
  world.plugin("echo", echo());
  constexpr auto kJob =
      "job: part\nstages:\n  a: {uses: echo, with: {v: 1}}\n  b: {uses: echo, with: {v: '${ stages.a.v + 1 }'}}\n  c: "
      "{uses: "
      "echo, with: {v: '${ stages.b.v + 1 }'}}\nresult: '${ stages.c.v }'\n";
  const auto submit = [&](std::vector<std::string> only, std::string stop_after) {
    std::optional<engine::Result<engine::SubmitReceipt>> receipt;
    world.engine->submit({.text = kJob, .file = "t.yaml", .only = std::move(only), .stop_after = std::move(stop_after)},
                         {}, [&](engine::Result<engine::SubmitReceipt> given) { receipt.emplace(std::move(given)); });
    world.run_to_end();
    if (!*receipt) throw receipt->error();
    return world.result((*receipt)->run);
  };
  CHECK(submit({}, "") == "3");
  CHECK(submit({}, "b") == R"({"v":2})");
  CHECK(submit({"a"}, "") == R"({"v":1})");
  CHECK_THROWS_WITH(submit({"aa"}, ""), Catch::Contains("no stage 'aa'"));
  CHECK_THROWS_WITH(submit({}, "z"), Catch::Contains("stop_after: job 'part' has no stage 'z'"));
}

TEST_CASE("of a unique job one run for each key is under way") {
  EngineWorld world;
  auto slow = echo();
  slow.takes = [](const auto&) { return 1h; };
  world.plugin("echo", slow);
  const auto job = [](const std::string& unique) {
    return "job: u\nparams: {tenant: string}\nunique: " + unique + "\nstages:\n  s: {uses: echo}\n";
  };
  const auto first = world.submit(job("'${ params.tenant }'"), {{"tenant", "a"}});
  const auto other = world.submit(job("'${ params.tenant }'"), {{"tenant", "b"}});
  CHECK(first != other);
  CHECK_THROWS_WITH(world.submit(job("'${ params.tenant }'"), {{"tenant", "a"}}),
                    Catch::Contains("is for the same and has not ended"));
  CHECK(world.submit(job("{key: '${ params.tenant }', otherwise: existing}"), {{"tenant", "a"}}) == first);
  world.run_to_end();
  CHECK(world.submit(job("'${ params.tenant }'"), {{"tenant", "a"}}) != first);
}

TEST_CASE("variables reach the methods that take them, the stage's over the job's") {
  EngineWorld world;
  auto shell = echo();
  shell.schema = base::parse_json(R"({"type":"object","properties":{"env":{"type":"object"},"argv":{}}})").as_object();
  world.plugin("shell", shell);
  world.plugin("echo", echo());
  const auto run = world.submit(
      "job: e\nparams: {who: {type: string, default: me}}\nenv: {WHO: '${ params.who }', LEVEL: 1}\nstages:\n  a: "
      "{uses: "
      "shell, env: {LEVEL: '2'}, with: {argv: [x]}}\n  b: {uses: echo, with: {v: 1}}\nresult: ['${ stages.a }', '${ "
      "stages.b "
      "}']\n");
  world.run_to_end();
  CHECK(world.result(run) == R"([{"argv":["x"],"env":{"LEVEL":"2","WHO":"me"}},{"v":1}])");
}

TEST_CASE("labels, priority and queue go with the run") {
  EngineWorld world;
  world.plugin("echo", echo());
  const auto run = world.submit(
      "job: l\nparams: {n: integer}\nlabels: {tenant: 't${ params.n }'}\npriority: 7\nqueue: chat\nretain: "
      "7d\nstages:\n  s: "
      "{uses: echo}\n",
      {{"n", 3}});
  CHECK(world.run(run).submitted.options == R"({"labels":{"tenant":"t3"},"priority":7,"queue":"chat","retain":"7d"})");
}
