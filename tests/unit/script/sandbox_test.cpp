// Goal: what a script may not do ends in a clear error of that script, with file and line. Method: hostile scripts.
#include <catch2/catch.hpp>

#include "base/digest.hpp"
#include "script_world.hpp"

using namespace godwit;
using test::ScriptWorld;

namespace {

std::string run(const std::string& body, script::Budget budget = {}) {
  ScriptWorld world("local gw = require 'godwit'\nreturn gw.job { name = 'job', run = function(p)\n" + body +
                    "\nend }\n");
  world.budget = budget;
  REQUIRE(world.go());
  return world.result();
}

script::Budget short_budget() {
  script::Budget budget;
  budget.cpu = std::chrono::milliseconds(100);
  budget.memory = 16u << 20;
  return budget;
}

}  // namespace

TEST_CASE("what reaches outside is not there") {
  for (const char* name :
       {"io", "os", "debug", "load", "package", "coroutine", "collectgarbage", "dofile", "loadstring"}) {
    INFO(name);
    CHECK_THAT(run(std::string("return ") + name),
               Catch::Contains(std::string("'") + name + "' is not there") && Catch::Contains("job.lua:3"));
  }
  CHECK_THAT(run("return string.dump(print)"), Catch::Contains("attempt to call a nil value"));
}

TEST_CASE("globals cannot be set and a typo has a suggestion") {
  CHECK_THAT(run("count = 1"), Catch::Contains("global names cannot be set; write `local count`"));
  CHECK_THAT(run("rawset(_ENV, 'x', 1)"), Catch::Contains("global names cannot be set"));
  CHECK_THAT(run("setmetatable(_ENV, {})"), Catch::Contains("cannot be changed"));
  CHECK_THAT(run("return tostrin(1)"), Catch::Contains("did you mean 'tostring'"));
  CHECK_THAT(run("return gw.cal('a.b')"), Catch::Contains("gw has no 'cal'; did you mean 'call'"));
  CHECK_THAT(run("string.upper = nil"), Catch::Contains("cannot be changed"));
  CHECK_THAT(run("getmetatable('').__index = nil"), Catch::Contains("boolean"));
  CHECK_THAT(run("_ENV = {}\nreturn print"), Catch::Equals("null"));
  CHECK_THAT(run("gw.call('a.b', {}, {timeut = '3s'})"),
             Catch::Contains("unknown option 'timeut'; did you mean 'timeout'"));
}

TEST_CASE("the order of everything is the same in every life") {
  CHECK(run("local t = {zebra = 1, apple = 2, [3] = 'c', [1] = 'a', [true] = 0}\nlocal s = ''\nfor k in pairs(t) do s "
            "= s .. tostring(k) .. ' ' end\nreturn s") == "\"1 3 apple zebra true \"");
  CHECK_THAT(run("for k in pairs({[{}] = 1}) do end"), Catch::Contains("as a key has no order"));
  CHECK(run("return {tostring({}), tostring(print), tostring(gw.null)}") == R"(["table","function","null"])");
  CHECK_THAT(run("return string.format('%p', {})"), Catch::Contains("format has no '%p'"));
  CHECK(run("local t = {}\nfor i = 1, 9 do t[i] = {k = i % 2, i = i} end\ntable.sort(t, function(a, b) return a.k < "
            "b.k end)\nlocal s = ''\nfor _, x in ipairs(t) do s = s .. x.i end\nreturn s") == "\"246813579\"");
  CHECK_THAT(run("setmetatable({}, {__gc = print})"), Catch::Contains("'__gc'"));
  CHECK_THAT(run("setmetatable({}, {__mode = 'k'})"), Catch::Contains("'__mode'"));
}

TEST_CASE("values keep their kind through JSON") {
  CHECK(run("return {1, 2.0, gw.null, gw.array{}, {}, 'x'}") == R"([1,2E0,null,[],{},"x"])");
  CHECK_THAT(run("return {a = {b = print}}"), Catch::Contains("the result.a.b is a function"));
  CHECK_THAT(run("return 0/0"), Catch::Contains("no finite number"));
  CHECK_THAT(run("local t = {} t.t = t return t"), Catch::Contains("contains itself"));
}

TEST_CASE("an endless loop ends, caught or not") {
  CHECK_THAT(run("while true do end", short_budget()), Catch::Contains("failed cpu") && Catch::Contains("job.lua:3"));
  CHECK_THAT(run("while true do pcall(function() while true do end end) end", short_budget()),
             Catch::Contains("failed cpu"));
  CHECK_THAT(run("while true do gw.try(error) end", short_budget()), Catch::Contains("failed cpu"));
  CHECK_THAT(run("xpcall(function() while true do end end, function() while true do end end)", short_budget()),
             Catch::Contains("failed cpu"));
  CHECK_THAT(run("local guard <close> = setmetatable({}, {__close = function() while true do pcall(print) end "
                 "end})\nwhile true do end",
                 short_budget()),
             Catch::Contains("failed cpu"));
  CHECK_THAT(run("table.sort({3, 2, 1}, function() while true do end end)", short_budget()),
             Catch::Contains("failed cpu"));
  CHECK_THAT(
      run("local t = setmetatable({}, {__index = function(t, k) while true do end end})\nreturn t.x", short_budget()),
      Catch::Contains("failed cpu"));
}

TEST_CASE("memory is counted and the end of it cannot be caught") {
  CHECK_THAT(run("local t = {}\nwhile true do t[#t + 1] = {} end", short_budget()),
             Catch::Contains("failed memory") && Catch::Contains("job.lua:4"));
  CHECK_THAT(run("pcall(function() local s = 'x' while true do s = s .. s end end)\nreturn 'survived'", short_budget()),
             Catch::Contains("failed memory"));
  CHECK_THAT(run("return #string.rep('x', 1 << 30)"), Catch::Contains("too long") && Catch::Contains("job.lua:3"));
  CHECK_THAT(run("local function deep(n) return 1 + deep(n + 1) end\nreturn deep(1)"),
             Catch::Contains("stack overflow"));
}

TEST_CASE("a step cannot run where nothing can wait") {
  CHECK_THAT(run("table.sort({2, 1}, function(a, b) gw.call('a.b', {}) return a < b end)"),
             Catch::Contains("a step cannot run here"));
  CHECK_THAT(run("('x'):gsub('x', function() gw.sleep(1) end)"), Catch::Contains("a step cannot run here"));
  CHECK_THAT(run("gw.memo('m', function() return gw.call('a.b', {}) end)"), Catch::Contains("a step cannot run here"));
}

TEST_CASE("too many steps are told about") {
  script::Budget budget;
  budget.steps = 50;
  CHECK_THAT(run("for i = 1, 100 do gw.call('a.b', {i = i}) end", budget),
             Catch::Contains("too_many_steps") && Catch::Contains("gw.each"));
}

TEST_CASE("a file that is wrong says where") {
  const auto refused = [](const std::string& text) {
    try {
      ScriptWorld world(text);
      world.go();
    } catch (const base::Error& error) {
      return std::string(error.what());
    }
    return std::string("taken");
  };
  CHECK_THAT(refused("return 5 5"), Catch::Contains("job.lua:1") && Catch::Contains("near '5'"));
  CHECK_THAT(refused("\n\nlocal x = nil + 1"), Catch::Contains("job.lua:3") && Catch::Contains("arithmetic"));
  CHECK_THAT(refused("return {}"), Catch::Contains("return gw.job"));
  CHECK_THAT(refused("return gw.job {name = 'x'}"), Catch::Contains("`run`"));
  CHECK_THAT(refused("return gw.job {name = 'x', rnu = print}"),
             Catch::Contains("unknown option 'rnu'; did you mean 'run'"));
  CHECK_THAT(refused("gw.call('a.b', {})"), Catch::Contains("while the file is being read"));
  CHECK_THAT(refused("while true do end"), Catch::Contains("computed for longer"));
  CHECK_THAT(refused("\x1bLua"), Catch::Contains("binary"));
}
