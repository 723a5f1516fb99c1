// Goal: what a script may not do ends in a clear error of that script, with file and line. Method: hostile scripts.
#include <catch2/catch.hpp>

#include "base/digest.hpp"
#include "script/api.hpp"
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

script::Budget short_time() {
  script::Budget budget;
  budget.cpu = std::chrono::milliseconds(100);
  return budget;
}

// With time to fill it on a busy machine.
script::Budget little_memory() {
  script::Budget budget;
  budget.cpu = std::chrono::seconds(20);
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
  CHECK(run("return {1, 2.0, gw.null, gw.array{}, {}, 'x'}") == R"([1,2.0,null,[],{},"x"])");
  CHECK_THAT(run("return {a = {b = print}}"), Catch::Contains("the result.a.b is a function"));
  CHECK_THAT(run("return 0/0"), Catch::Contains("no finite number"));
  CHECK_THAT(run("local t = {} t.t = t return t"), Catch::Contains("contains itself"));
}

TEST_CASE("an endless loop ends, caught or not") {
  CHECK_THAT(run("while true do end", short_time()), Catch::Contains("failed cpu") && Catch::Contains("job.lua:3"));
  CHECK_THAT(run("while true do pcall(function() while true do end end) end", short_time()),
             Catch::Contains("failed cpu"));
  CHECK_THAT(run("while true do gw.try(error) end", short_time()), Catch::Contains("failed cpu"));
  CHECK_THAT(run("xpcall(function() while true do end end, function() while true do end end)", short_time()),
             Catch::Contains("failed cpu"));
  CHECK_THAT(run("local guard <close> = setmetatable({}, {__close = function() while true do pcall(print) end "
                 "end})\nwhile true do end",
                 short_time()),
             Catch::Contains("failed cpu"));
  CHECK_THAT(run("table.sort({3, 2, 1}, function() while true do end end)", short_time()),
             Catch::Contains("failed cpu"));
  CHECK_THAT(
      run("local t = setmetatable({}, {__index = function(t, k) while true do end end})\nreturn t.x", short_time()),
      Catch::Contains("failed cpu"));
}

TEST_CASE("memory is counted and the end of it cannot be caught") {
  CHECK_THAT(run("local t = {}\nwhile true do t[#t + 1] = {} end", little_memory()),
             Catch::Contains("failed memory") && Catch::Contains("job.lua:4"));
  CHECK_THAT(run("pcall(function() local s = 'x' while true do s = s .. s end end)\nreturn 'survived'", little_memory()),
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

TEST_CASE("what recurses without end is told with its line, whatever it recurses through") {
  const std::string meta = "local mt = {}\nlocal function new() return setmetatable({}, mt) end\n";
  for (const char* body : {"mt.__index = function(t, k) return new()[k] end\nreturn new().x",
                           "mt.__tostring = function() return tostring(new()) end\nreturn tostring(new())",
                           "mt.__concat = function(a, b) return a .. b end\nreturn new() .. 'x'",
                           "mt.__eq = function() return new() == new() end\nreturn new() == new()",
                           "local function f() local x <close> = setmetatable({}, {__close = f}) end\nreturn f()"}) {
    INFO(body);
    CHECK_THAT(run(meta + body), Catch::Contains("C stack overflow") && Catch::Contains("job.lua:5"));
  }
  CHECK_THAT(run("local t = {}\nfor i = 1, 3000 do t = setmetatable({}, {__index = t}) end\nreturn t.x"),
             Catch::Contains("'__index' chain too long") && Catch::Contains("job.lua:5"));
  CHECK_THAT(run("local function bomb() return gw.all {a = bomb, b = bomb} end\nreturn bomb()", little_memory()),
             Catch::Contains("failed memory") && Catch::Contains("job.lua:3"));
  CHECK_THAT(run("local function deep() return gw.each('e', {1, 2, 3}, deep) end\nreturn deep()", little_memory()),
             Catch::Contains("failed memory") && Catch::Contains("job.lua:3"));
}

TEST_CASE("what would be too large is refused where it is made") {
  for (const char* body : {"return #string.rep('', 1 << 40, 'xyz')", "local s = 'x' while true do s = s:rep(2) end",
                           "return select('#', table.unpack({}, 1, 1e8))", "return string.format('%99999d', 1)",
                           "return select('#', utf8.codepoint(('x'):rep(5000000), 1, -1))",
                           "table.move({}, 1, 1 << 40, 2)",
                           "local t = setmetatable({}, {__len = function() return 1 << 60 end})\ntable.remove(t, 1)",
                           "local t = setmetatable({}, {__len = function() return 1 << 60 end})\ntable.insert(t, 1, 1)"}) {
    INFO(body);
    CHECK_THAT(run(body), Catch::Contains("failed script") && Catch::Contains("job.lua:"));
  }
  CHECK_THAT(run("local s = ('x'):rep(1000000) return #s:gsub('x', s)", little_memory()), Catch::Contains("failed memory"));
  CHECK_THAT(run("require(('x'):rep(5000000))"), Catch::Contains("there is no module") && Catch::Contains("bytes)"));
}

TEST_CASE("insert and remove do what they do in Lua") {
  CHECK(run("local t = {1, 2} table.insert(t, 3) table.insert(t, 1, 0) table.insert(t, 5, 4) return t") ==
        "[0,1,2,3,4]");
  CHECK(run("local t = {1, 2, 3} return {table.remove(t), table.remove(t, 1), #t, table.remove({}) == nil, "
            "table.remove({}, 0) == nil, table.remove({5}, 2) == nil}") == "[3,1,1,true,true,true]");
  CHECK_THAT(run("table.insert({}, 3, 1)"), Catch::Contains("position out of bounds"));
  CHECK_THAT(run("table.remove({1}, 3)"), Catch::Contains("position out of bounds"));
  CHECK_THAT(run("table.insert({}, 1, 2, 3)"), Catch::Contains("wrong number of arguments"));
}

TEST_CASE("floods end, and what they leave is bounded") {
  CHECK_THAT(run("for i = 1, 1e9 do gw.emit('x', {i = i}) end"), Catch::Contains("too_many_steps"));
  CHECK_THAT(run("while true do gw.progress({a = 1}) end", short_time()), Catch::Contains("failed cpu"));
  ScriptWorld world("local gw = require 'godwit'\nreturn gw.job { name = 'job', run = function(p)\n"
                    "for i = 1, 100 do gw.log(('x'):rep(100000)) end\nfor i = 1, 30000 do print(i) end\nend }\n");
  REQUIRE(world.go());
  CHECK(world.result() == "null");
  CHECK(world.logs.size() < 100);
  CHECK(world.logs.front().text.size() < 20'000);
  CHECK_THAT(world.logs.back().text, Catch::Contains("what follows is left out"));
}

TEST_CASE("errors are texts that can be stored, whatever a script raises") {
  CHECK_THAT(run("error('\xff\xfe')"), Catch::Contains("\xef\xbf\xbd") && Catch::Contains("job.lua:3"));
  CHECK_THAT(run("error(('x'):rep(5000000))"), Catch::Contains("bytes)"));
  CHECK(run("error(('x'):rep(5000000))").size() < 20'000);
  CHECK_THAT(run("error(setmetatable({}, {__tostring = function() while true do end end}))", short_time()),
             Catch::Contains("an error that is no text but a table"));
  CHECK_THAT(run("error({code = {}, message = print})"), Catch::Contains("an error that is no text"));
  CHECK_THAT(run("error()"), Catch::Contains("no text but a nil"));
  ScriptWorld world("local gw = require 'godwit'\nreturn gw.job { name = 'job', run = function(p) gw.log('\xff') end }\n");
  REQUIRE(world.go());
  CHECK(world.logs.at(0).text == "\xef\xbf\xbd");
}

TEST_CASE("texts that go into records are looked at") {
  for (const char* call : {"gw.call('\\xff.b', {})", "gw.call('a\\0.b', {})", "gw.call('a', 'b\\n', {})",
                           "gw.stage('s', '\\xff.b', {})", "gw.emit('\\xff', {a = 1})", "gw.lock('a\\0')",
                           "gw.lock(('x'):rep(201))", "gw.artifact('\\xff', 'x')", "gw.content('\\xff')"}) {
    INFO(call);
    CHECK_THAT(run(call), Catch::Contains("must be a text of 1 to 200 bytes") && Catch::Contains("job.lua:3"));
  }
}

TEST_CASE("the wrong types are told about by every function of gw") {
  for (const auto& function : script::api()) {
    if (function.parameters.empty() || function.name == "random" || function.name == "done" ||
        function.name == "array" || function.name == "try")
      continue;
    for (const char* argument : {"print", "{[print] = 1}", "true", "gw.null", "0/0"}) {
      const std::string call = "gw." + function.name + "(" + argument + ", " + argument + ", " + argument + ")";
      INFO(call);
      const std::string told = run("return " + call);
      CHECK_THAT(told, Catch::Contains("failed "));
      CHECK_THAT(told, Catch::Contains("job.lua:3"));
    }
  }
}
