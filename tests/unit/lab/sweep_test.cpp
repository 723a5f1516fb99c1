// Goal: what holds something while it races, fails or continues comes through a crash at any commit: no lock stays with
// nobody, nobody waits for himself, no row is written twice. Method: jobs in which locks, losers of races, endings and
// runs that continue meet; the lab lets the daemon die before and after each commit of each.
#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace godwit;

namespace {

// A job of two forms with its test.
void check_sweep(const std::string& yaml, const std::string& run, const std::string& header, const std::string& tests) {
  const lab::Bench bench(yaml, "");
  std::string forms = "x.lua";
  if (!yaml.empty()) forms = "x.yaml, x.lua";
  bench.write("x.lua", "local gw = require 'godwit'\nreturn gw.job { name = 'held_lua', " + header +
                           "\nrun = function(p)\n" + run + "\nend }\n");
  bench.write("x.test.yaml", "job: [" + forms + "]\n" + tests);
  int played = 0;
  for (const auto& result : bench.run({.crash_sweep = true})) {
    INFO(result.job << ": " << result.test);
    CHECK(result.problems == std::vector<std::string>());
    CHECK(result.crashes >= 6);
    ++played;
  }
  CHECK(played >= (yaml.empty() ? 1 : 2));
}

// Steps of the tests: `work` takes a minute, `quick` a second, and `bad` fails.
constexpr auto kMocks = R"(
mocks:
  shell.run:
    - {when: "${ input.argv[1] == 'bad' }", error: {code: exit_1, message: no}, takes: 1s}
    - {when: "${ input.argv[1] == 'quick' }", output: {exit_code: 0}, takes: 1s}
    - {output: {exit_code: 0}, takes: 1m}
)";

// Shorter names for what every script below does.
constexpr auto kWords = R"(
  local function does(name, word)
    return gw.stage(name, "shell.run", { argv = { word } }, { retry_safe = true }).exit_code
  end
)";

std::string tests(const std::string& text) {
  return std::string(kMocks) + "tests:\n" + text;
}

}  // namespace

TEST_CASE("two branches that share two locks come through every crash") {
  check_sweep(R"(
job: held
stages:
  both:
    foreach: "${ {'a', 'b', 'c'} }"
    stages:
      left: {lock: left}
      first: {needs: [left], uses: shell.run, with: {argv: [work]}, retry_safe: true, output: "${ output.exit_code }"}
      right: {needs: [first], lock: {name: right, permits: 2}}
      second: {needs: [right], uses: shell.run, with: {argv: [quick]}, retry_safe: true, output: "${ output.exit_code }"}
result: ${ stages.both.count }
)",
              std::string(kWords) + R"(
  return #gw.each("both", { "a", "b", "c" }, function()
    return gw.lock("left", { name = "left" }, function()
      gw.stage("first", "shell.run", { argv = { "work" } }, { retry_safe = true, output = "${ output.exit_code }" })
      return gw.lock("right", { name = "right", permits = 2 }, function()
        return gw.stage("second", "shell.run", { argv = { "quick" } }, { retry_safe = true, output = "${ output.exit_code }" })
      end)
    end)
  end)
)",
              "", tests(R"(
  one after the other:
    expect: {result: 3, calls: {shell.run: 6}, took: {least: 3m3s, most: 3m4s}}
)"));
}

TEST_CASE("what loses a race lets go of its lock, whatever crashes") {
  check_sweep("", std::string(kWords) + R"(
  local result, winner = gw.first {
    fast = function() return gw.lock("fast", function() return does("win", "quick") end) end,
    slow = function() return gw.lock("shared", function() return does("lose", "work") end) end,
    waiting = function() return gw.lock("shared", { name = "queued" }, function() return does("never", "work") end) end,
  }
  return gw.lock("shared", { name = "again", timeout = "10s" }, function()
    return winner .. does("after", "quick")
  end)
)",
              "", tests(R"(
  the lock is free for what comes then:
    expect: {result: fast0, took: {least: 2s, most: 3s}}
)"));
}

TEST_CASE("a lock is let go by an error, and had anew by the same branch, whatever crashes") {
  check_sweep("", std::string(kWords) + R"(
  local tries = 0
  for i, word in ipairs { "bad", "bad", "quick" } do
    local ok = gw.try(function()
      gw.lock("ledger", { name = "turn" }, function() does("write", word) end)
    end)
    if not ok then tries = tries + 1 end
  end
  local all = gw.all {
    a = function() return gw.lock("ledger", { name = "last", timeout = "5s" }, function() return does("a", "quick") end) end,
    b = function() return gw.lock("ledger", { name = "last", timeout = "5s" }, function() return does("b", "quick") end) end,
  }
  return { tries = tries, a = all.a, b = all.b }
)",
              "", tests(R"(
  twice refused, then written:
    expect: {result: {tries: 2, a: 0, b: 0}}
)"));
}

TEST_CASE("runs that continue have their endings, each once, whatever crashes") {
  check_sweep(R"(
job: held
params: {n: {type: integer, default: 1}}
on_success:
  turn: {lock: ledger}
  tell: {needs: [turn], uses: shell.run, with: {argv: [quick, "n${ params.n }"]}, retry_safe: true, output: "${ output.exit_code }", emit: {to: told, rows: {n: "${ params.n }"}}}
stages:
  have: {lock: ledger}
  work: {needs: [have], uses: shell.run, with: {argv: [work, "n${ params.n }"]}, retry_safe: true, output: "${ params.n }"}
continue_as: {when: "${ stages.work < 3 }", with: {n: "${ stages.work + 1 }"}}
result: ${ stages.work }
)",
              R"(
  gw.lock("ledger", { name = "have" })
  local n = gw.stage("work", "shell.run", { argv = { "work", "n" .. p.n } }, { retry_safe = true, output = "${ params.n }" })
  if n < 3 then gw.continue_as({ n = n + 1 }, n) end
  return n
)",
              R"(params = { n = { type = "integer", default = 1 } },
  on_success = function(outcome, p)
    gw.lock("ledger", { name = "turn" })
    gw.stage("tell", "shell.run", { argv = { "quick", "n" .. p.n } },
      { retry_safe = true, output = "${ output.exit_code }", emit = { to = "told", rows = { n = "${ params.n }" } } })
  end,)",
              tests(R"(
  three runs:
    expect: {calls: {shell.run: 6}, emitted: {told: [{n: 1}, {n: 2}, {n: 3}]}}
)"));
}

TEST_CASE("endings of a failed and of a cancelled run get what the run held, whatever crashes") {
  const std::string endings = R"(
  on_failure = function(outcome)
    gw.lock("ledger", { name = "mine", timeout = "10s" }, function() does("sorry", "quick") end)
    gw.emit("ends", { why = outcome.error.code })
  end,
  on_cancel = function(outcome)
    gw.lock("ledger", { name = "mine", timeout = "10s" }, function() does("sorry", "quick") end)
    gw.emit("ends", { why = "cancelled" })
  end,)";
  const lab::Bench bench("", "");
  bench.write("x.lua", "local gw = require 'godwit'\n" + std::string(kWords) +
                           "return gw.job { name = 'ends', params = {word = 'string'}," + endings + R"(
  run = function(p)
    return gw.lock("ledger", { name = "all" }, function()
      return gw.all { a = function() return does("a", p.word) end, b = function() return does("b", "work") end }
    end)
  end }
)");
  bench.write("x.test.yaml", "job: x.lua\n" + tests(R"(
  it fails:
    params: {word: bad}
    expect: {state: failed, emitted: {ends: [{why: exit_1}]}}
  it is cancelled:
    params: {word: work}
    events: [{at: 10s, cancel: true}]
    expect: {state: cancelled, emitted: {ends: [{why: cancelled}]}}
)"));
  for (const auto& result : bench.run({.crash_sweep = true})) {
    INFO(result.test);
    CHECK(result.problems == std::vector<std::string>());
    CHECK(result.crashes >= 6);
  }
}

TEST_CASE("a race between a signal, a person, a child and the clock has one winner, whatever crashes") {
  const lab::Bench bench("", "");
  bench.write("y.yaml", "job: long\nstages:\n  nap: {sleep: 2h}\n");
  bench.write("x.lua", "local gw = require 'godwit'\n" + std::string(kWords) + R"(
return gw.job { name = 'race', run = function()
  local value, who = gw.first {
    child = function() return gw.lock("floor", function() return gw.child("long", {}) end) end,
    clock = function() gw.sleep("90m") return "late" end,
    person = function() return gw.approve("gate", { within = "3h", otherwise = "fail" }) end,
    word = function() return gw.wait("go", { timeout = "1h", otherwise = "fail" }) end,
  }
  does("after", "quick")
  gw.lock("floor", { name = "free", timeout = "10s" })
  return { who = who, value = value }
end }
)");
  bench.write("x.test.yaml", "job: x.lua\n" + tests(R"(
  the signal wins:
    events: [{at: 10m, signal: go, payload: 7}]
    expect: {result: {who: word, value: 7}}
  the person wins:
    events: [{at: 61m, approve: "first[person]/gate", by: ann}]
    expect: {result: {who: person, value: true}}
  nobody comes:
    expect: {result: {who: clock, value: late}, took: {least: 90m1s, most: 91m}}
)"));
  for (const auto& result : bench.run({.crash_sweep = true})) {
    INFO(result.test);
    CHECK(result.problems == std::vector<std::string>());
    CHECK(result.crashes >= 6);
  }
}

TEST_CASE("a list that grows while its items share a lock comes through every crash") {
  check_sweep("", std::string(kWords) + R"(
  local found = gw.frontier("pages", { 1 }, { parallel = 3, depth = 3, max = 6 }, function(n, grow)
    gw.lock("site", { name = "site", permits = 2 }, function() does("read", "quick") end)
    grow(n * 2)
    grow(n * 2 + 1)
    gw.emit("pages", { n = n })
    return n
  end)
  table.sort(found)
  return found
)",
              "", tests(R"(
  six of them:
    expect: {result: [1, 2, 3, 4, 5, 6], calls: {shell.run: 6}}
)"));
}
