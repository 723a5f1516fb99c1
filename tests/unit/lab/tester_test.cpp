// Goal: a test of a job passes when the job does what the test says and fails, saying where, when it does not. Method:
// small jobs and tests in a folder, run as `godwit job test` runs them.
#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "lab/journal_view.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using Catch::Contains;
using lab::Bench;

namespace {

const std::string kFanOut = R"(
job: fan_out
params: {names: {type: array, items: string}}
limits: {doors: 2}
stages:
  greet:
    foreach: ${ params.names }
    uses: greeter.greet
    with: {name: "${ item }"}
    limits: {doors: 1}
    retry: {attempts: 3, backoff: 24h, jitter: 0}
    on_item_error: record
    emit: {to: greetings, rows: {text: "${ output.text }"}}
result: ${ map(stages.greet.items, function(i) return i.state == 'succeeded' and i.output.text or i.error.code end) }
)";

// The tests of kFanOut with what is expected of them.
std::string expecting(const std::string& expect) {
  return R"(
tests:
  greets:
    params: {names: [ann, bob, cid]}
    mocks:
      greeter.greet:
        - {when: "${ input.name == 'bob' }", error: {code: rude, message: not today}}
        - {when: "${ input.name == 'cid' }", attempt: 1, error: {code: busy, retryable: true}}
        - {output: {text: "hello ${ input.name }"}, takes: 1s}
    expect: )" +
         expect + "\n";
}

}  // namespace

TEST_CASE("a run that is as expected passes, days of waiting take no time, and crashes make no difference") {
  const Bench bench(kFanOut, expecting(R"({
      result: [hello ann, rude, hello cid],
      calls: {greeter.greet: 4},
      steps: {"greet[1]": {state: failed, error: not today}, "greet[2]": {attempts: 2, output: {text: hello cid}}, "greet[3]": none},
      emitted: {greetings: [{text: hello cid}, {text: hello ann}]},
      that: ["${ len(calls['greeter.greet']) == 4 }", "${ result[1] == 'hello ann' }"],
      took: {least: 24h, most: 24h5s}})"));
  const auto begin = base::thread_cpu_time();
  const auto results = bench.run({.crash_sweep = true});
  REQUIRE(results.size() == 1);
  CHECK(results[0].problems == std::vector<std::string>());
  CHECK(results[0].crashes >= 10);
  CHECK(results[0].took >= 24h);
  CHECK(base::thread_cpu_time() - begin < 10s);
}

TEST_CASE("each expectation that is not met says what was expected and what came") {
  const std::pair<const char*, const char*> cases[] = {
      {"{state: failed}", "state: expected failed, got succeeded"},
      {"{result: [hello ann, rude]}", "result[2]: expected nothing, got \"hello cid\""},
      {"{has: {x: 1}}", "result: expected {\"x\":1}, got [\"hello ann\""},
      {"{error: rude}", "state: expected failed, got succeeded"},
      {"{calls: {greeter.greet: 3}}", "calls of greeter.greet: expected 3, got 4"},
      {"{calls: {greeter.greet: [{name: ann}, {name: eve}, {}, {}]}}",
       "calls of greeter.greet[1].name: expected \"eve\", got \"bob\""},
      {"{steps: {'greet[1]': succeeded}}", "step greet[1]: expected succeeded, got failed"},
      {"{steps: {'greet[7]': failed}}", "step greet[7]: expected failed, got no such step"},
      {"{steps: {'greet[2]': {attempts: 1}}}", "step greet[2] attempts: expected 1, got 2"},
      {"{steps: {'greet[0]': {output: {text: hello}}}}",
       "step greet[0] output.text: expected \"hello\", got \"hello ann\""},
      {"{steps: {'greet[1]': {error: polite}}}",
       "step greet[1] error: expected \"polite\" in it, got \"rude: not today\""},
      {"{emitted: {greetings: 3}}", "emitted greetings: expected 3 rows, got 2"},
      {"{emitted: {greetings: [{text: hello ann}]}}", "emitted greetings[1]: expected nothing"},
      {"{that: '${ len(result) == 4 }'}", "this is not so:"},
      {"{took: {most: 1h}}", "took: expected at most 1h, got 1d1s"},
      {"{failed_step: greet}", "failed_step: expected \"greet\", got null"},
  };
  for (const auto& [expect, said] : cases) {
    INFO(expect);
    CHECK_THAT(Bench(kFanOut, expecting(expect)).problems(), Contains(said));
  }
}

TEST_CASE("a call that nobody answers fails the test, whatever the job makes of it") {
  const std::string job = "job: a\nstages: {one: {uses: shell.run, with: {argv: [ls]}}}\n";
  const auto said = Bench(job, "tests: {t: {expect: {state: failed}}}").problems();
  CHECK_THAT(said, Contains("one calls shell.run (attempt 1), which the test does not mock"));
  const auto unknown = Bench("job: a\nstages: {one: {uses: my.method}}\n", "tests: {t: {expect: {}}}").problems();
  CHECK_THAT(unknown, Contains("the test does not mock 'my.method'"));
  const auto unfit =
      Bench(job, "tests: {t: {mocks: {shell.run: {when: '${ false }', output: 1}}, expect: {state: failed}}}")
          .problems();
  CHECK_THAT(unfit, Contains("no rule of its mock fits"));
}

TEST_CASE("arguments are held against the schema of the installed plugin, mocked or not") {
  const auto said = Bench("job: a\nstages: {one: {uses: shell.run, with: {argvv: [ls]}}}\n",
                          "tests: {t: {mocks: {shell.run: {}}, expect: {}}}");
  CHECK_THROWS_AS(said.run(), base::Error);  // a mock without an answer
  const auto wrong = Bench("job: a\nstages: {one: {uses: shell.run, with: {argvv: [ls]}}}\n",
                           "tests: {t: {mocks: {shell.run: {output: 1}}, expect: {}}}");
  CHECK_THAT(wrong.problems(), Contains("argvv"));
}

TEST_CASE("pure methods of installed plugins are called for real") {
  const Bench bench(R"(
job: a
stages:
  filter: {uses: flights.filter, with: {offers: [], filters: {max_stops: 1}}}
)",
                    "tests: {t: {expect: {has: {kept: 0, dropped: 0}, calls: {flights.filter: 1}}}}");
  CHECK(bench.problems({.crash_sweep = true}) == "");
}

TEST_CASE("what differs from one seed to the next is told") {
  const Bench bench(R"(
job: race
stages:
  both: {foreach: '${ range(1, 20) }', uses: coin.flip, with: {n: '${ item }'}}
)",
                    "tests: {t: {mocks: {coin.flip: {error: 'no_${ 1 }'}}, expect: {state: failed}}}");
  CHECK_THAT(bench.problems(), Contains("with another seed: journal[0]"));
}

TEST_CASE("a job whose outcome depends on a crash fails the sweep") {
  const Bench bench(
      "job: a\nstages: {pay: {uses: bank.pay}}\n",
      "tests: {t: {mocks: {bank.pay: {output: '${ attempt }', retry_safe: false}}, expect: {result: 1}}}");
  CHECK(bench.problems() == "");
  CHECK_THAT(bench.problems({.crash_sweep = true}),
             Contains("crashed after commit 2") && Contains("result: expected 1, got 2"));
}

TEST_CASE("a call of unknown outcome waits for a person, which the sweep counts") {
  const Bench bench("job: a\nstages: {pay: {uses: bank.pay}}\n",
                    "tests: {t: {mocks: {bank.pay: {output: paid, retry_safe: false}}, expect: {result: paid}}}");
  const auto results = bench.run({.crash_sweep = true});
  CHECK(results.at(0).problems.empty());
  CHECK(results.at(0).unblocked >= 1);
}

TEST_CASE("events steer the run, and a run that waits for somebody is told with its reason") {
  const std::string job = "job: a\nstages: {slow: {uses: a.b}, after: {needs: [slow], uses: a.b}}\n";
  const std::string mocks = "mocks: {a.b: {output: 1, takes: 1h}}\n";
  const Bench paused(
      job, mocks + "tests: {t: {events: [{at: 30m, pause: true}], expect: {state: paused, calls: {a.b: 1}}}}");
  CHECK(paused.problems({.crash_sweep = true}) == "");
  const Bench resumed(job, mocks +
                               "tests: {t: {events: [{at: 30m, pause: true}, {at: 9h, resume: true}], "
                               "expect: {calls: {a.b: 2}, took: {least: 10h, most: 10h}}}}");
  CHECK(resumed.problems({.crash_sweep = true}) == "");
  const Bench cancelled(job, mocks + "tests: {t: {events: [{at: 90m, cancel: true}], expect: {}}}");
  CHECK_THAT(cancelled.problems(), Contains("state: expected succeeded, got cancelled"));
}

TEST_CASE("fixtures and recorded runs answer from files") {
  const Bench bench("job: a\nstages: {one: {uses: a.b}, two: {uses: a.c, with: {x: '${ stages.one }'}}}\n",
                    R"(
tests:
  fixture: {mocks: {a.b: {fixture: one.json}, a.c: {output: "${ input.x.price }"}}, expect: {result: 7}}
  recorded: {recorded: run.json, expect: {error: "gone: away", failed_step: two}}
)");
  bench.write("one.json", R"({"price": 7})");
  bench.write("run.json", R"({"job": "a", "params": {}, "steps": [{"path": "one", "state": "succeeded", "output": 1},
                              {"path": "two", "state": "failed", "error": {"code": "gone", "message": "away"}}]})");
  for (const auto& result : bench.run()) {
    INFO(result.test);
    CHECK(result.problems == std::vector<std::string>());
  }
  CHECK(bench.run({.only = "fix"}).size() == 1);
}

TEST_CASE("a lost process is a lost call") {
  const Bench bench(
      "job: a\nstages: {one: {uses: a.b, retry: {attempts: 2}}}\n",
      "tests: {t: {mocks: {a.b: [{attempt: 1, lost: true}, {output: 1}]}, expect: {result: 1, calls: {a.b: 2}}}}");
  CHECK(bench.problems() == "");
}

TEST_CASE("a test is of one run: no schedule fires, of its job or of those beside it") {
  const Bench bench("job: a\nschedule: {cron: '0 3 * * *'}\nstages: {one: {wait_signal: go}}\n",
                    "tests: {t: {expect: {state: waiting, calls: {shell.run: 0}, took: {most: 1h}}}}");
  bench.write("tick.yaml", "job: tick\nschedule: {every: 1h}\nstages: {one: {uses: shell.run, with: {argv: [ls]}}}\n");
  CHECK(bench.problems({.crash_sweep = true}) == "");
}

TEST_CASE("instants of the lab's clock may differ from one seed to the next, however the job hands them on") {
  const Bench yaml(R"(
job: a
stages:
  many: {foreach: '${ range(1, 30) }', parallel: 2, uses: a.b}
  nap: {needs: [many], sleep: 1s}
  told: {needs: [nap], uses: a.b, with: {text: 'until ${ stages.nap["until"] }'}, output: '${ output }'}
result: {nap: '${ stages.nap }', told: '${ stages.told }'}
)",
                   "tests: {t: {mocks: {a.b: {output: '${ input }'}}, expect: {}}}");
  CHECK(yaml.problems() == "");
  const Bench lua("job: x\nstages: {one: {uses: a.b}}\n", "");
  lua.write("y.lua", R"(
local gw = require "godwit"
return gw.job {
  name = "y",
  run = function()
    gw.each("many", range(1, 30), {parallel = 2}, function() return gw.call("a.b") end)
    local text, seconds = gw.now()
    return {text, seconds}
  end,
}
)");
  lua.write("y.test.yaml", "tests: {t: {mocks: {a.b: {output: 1}}, expect: {}}}");
  CHECK(lua.run({}, lua.path("y.test.yaml")).at(0).problems == std::vector<std::string>());
}

TEST_CASE("instants that no clock of the lab gave are compared as everything else") {
  const auto gives = [](const std::string& output, int second) {
    lab::Memory memory;
    auto& run = memory.runs[model::RunId{1}];
    run.submitted.job = "a";
    run.done.emplace();
    run.steps["one"] = {.output = output, .finished_at = base::from_microseconds(second * 1'000'000)};
    return memory;
  };
  const std::string first = R"("1970-01-01T00:00:01.000Z")", second = R"("1970-01-01T00:00:02.000Z")";
  CHECK(lab::journal_differences(gives(first, 1), gives(second, 2)).empty());
  CHECK_FALSE(lab::journal_differences(gives(first, 1), gives(second, 1)).empty());
  CHECK_FALSE(lab::journal_differences(gives(first, 7), gives(second, 7)).empty());
  CHECK(lab::journal_differences(gives(R"("at 1970-01-01T00:00:01.000Z!")", 1),
                                 gives(R"("at 1970-01-01T00:00:02.000Z!")", 2))
            .empty());
  CHECK(lab::journal_differences(gives("1.5", 1), gives("2.5", 2)).size() == 1);
}

TEST_CASE("a recorded run brings the signals and the decisions that it got") {
  const Bench bench(R"(
job: a
stages:
  go: {wait_signal: go}
  ask: {needs: [go], approve: {text: ok, who: [ann, "role:admin"]}}
  late: {needs: [ask], wait_signal: {name: never, timeout: 1h, otherwise: go_on}}
  no: {needs: [late], approve: {who: [bob]}}
result: {n: "${ stages.go.payload.n }", by: "${ stages.ask.by }"}
)",
                    R"(
tests:
  recorded: {recorded: run.json, expect: {state: failed, failed_step: "no", error: "rejected by bob: not today",
             steps: {late: {output: null}, "no": {state: failed}}, took: {least: 1h, most: 61m},
             that: ["${ steps.go.output.payload.n == 7 and steps.go.output.by == 'eve' }",
                    "${ steps.ask.output.approved and steps.ask.output.by == 'cid' and steps.ask.output.comment == 'fine' }"]}}
  told: {recorded: run.json, events: [{at: 10m, signal: go, payload: {n: 8}}],
         expect: {state: failed, that: "${ steps.go.output.payload.n == 8 }", took: {least: 70m}}}
)");
  bench.write("run.json", R"({"job": "a", "params": {}, "steps": [
    {"path": "go", "state": "succeeded", "output": {"payload": {"n": 7}, "by": "eve", "at": "2026-01-01T00:00:00.000Z"}},
    {"path": "ask", "state": "succeeded", "output": {"approved": true, "comment": "fine", "by": "cid", "at": "2026-01-01T00:00:00.000Z"}},
    {"path": "late", "state": "succeeded", "output": null},
    {"path": "no", "state": "failed", "error": {"code": "rejected", "message": "rejected by bob: not today"}}]})");
  for (const auto& result : bench.run({.crash_sweep = true})) {
    INFO(result.test);
    CHECK(result.problems == std::vector<std::string>());
  }
}

TEST_CASE("a program that fails is run again as often as `retry` says, and else once") {
  const Bench bench(R"(
job: a
stages:
  again: {foreach: "${ {1} }", on_item_error: record, uses: shell.run, with: {script: exit 3}, retry: {attempts: 3, backoff: 1s}}
  killed: {foreach: "${ {1} }", on_item_error: record, uses: shell.run, with: {script: kill -9 $$}, retry: {attempts: 2, backoff: 1s}}
  missing: {foreach: "${ {1} }", on_item_error: record, uses: shell.run, with: {argv: [no-such-program]}, retry: {attempts: 2}}
  once: {uses: shell.run, with: {script: exit 4}, needs: [again, killed, missing]}
)",
                    R"(
real: [shell.run]
tests:
  t:
    expect:
      error: exit_4
      steps:
        "again[0]": {state: failed, attempts: 3, error: exit_3}
        "killed[0]": {state: failed, attempts: 2, error: SIGKILL}
        "missing[0]": {state: failed, attempts: 1}
        once: {state: failed, attempts: 1}
)");
  CHECK(bench.problems() == "");
}
