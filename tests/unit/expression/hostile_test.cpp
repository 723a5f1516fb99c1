#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

#include "unit/expression/fixture.hpp"

using namespace godwit;
using expression::Budget;
using expression::test::World;

// Everything here is refused within the budget, and leaves the language as it was.
TEST_CASE("hostile expressions are stopped and leave no trace") {
  static World world([] {
    Budget budget;
    budget.memory = 16u << 20;
    budget.output = 4u << 20;
    budget.time = std::chrono::milliseconds(300);
    return budget;
  }());
  const std::string source = GENERATE(
      "(function() while true do end end)()", "(function() ::a:: goto a end)()",
      "(function() repeat until false end)()", "(function() local s = 'x' while true do s = s .. s end end)()",
      "(function() local t = {} while true do t[#t + 1] = {} end end)()",
      "(function() local function f() return 1 + f() end return f() end)()",
      "(function() local function f() return f() end return f() end)()", "('x'):rep(1 << 40)",
      "('x'):rep(1 << 62, 'yyyy')", "string.format('%99999999d', 1)", "string.format('%p', {})",
      "(function() local s = ('x'):rep(4000000) while true do local y = s .. 'y' end end)()",
      "(function() local a, b = ('x'):rep(4000000), ('x'):rep(3999999) .. 'x' local n = 0 while a == b do n = n + 1 "
      "end return n end)()",
      "table.concat(range(1, 900000), ('x'):rep(100000))", "range(1, 1 << 60)", "range(1, 2, 0)",
      "dates('0001-01-01', '9999-12-31')", "product(range(1, 5000), range(1, 5000), range(1, 5000))",
      "sort(range(1, 100000), function() return true end)", "sort({1, 'a'})", "(function() string.upper = len end)()",
      "(function() x = 1 end)()", "(function() _ENV.params = 1 end)()", "(function() params.name = 1 end)()",
      "(function() params.tags[1] = 1 end)()", "table.insert(params.tags, 'x')", "table.insert(string, 'x')",
      "table.sort(params.tags)", "table.remove(params.tags)", "setmetatable({}, {__gc = function() end})",
      "getmetatable('').__index", "_G.os", "os.exit(1)", "io.open('/etc/passwd')", "require('os')",
      "load('return 1')()", "dofile('/etc/passwd')", "debug.getregistry()", "coroutine.wrap(len)()",
      "collectgarbage('count')", "pcall(error)", "xpcall(error, error)", "rawset(params, 'x', 1)", "rawget(_ENV, 'x')",
      "next({})", "print('x')", "string.find(('a'):rep(1000), ('a*'):rep(100) .. 'b')", "('x'):gsub('x', 'y')",
      "string.dump(len)", "math.random()", "table.move({}, 1, 1 << 60, 2)",
      "(function() local t = {} t.t = t return t end)()",
      "(function() local t = {1} for i = 1, 63 do t = {t, t} end return t end)()",
      "(function() local t = {} for i = 1, 80 do t = {t} end return t end)()",
      "(function() local x <close> = {} end)()", "(function() return table.unpack({}, 1, 1e8) end)()", "utf8.char(-1)",
      "('x').y.z", "(function() ('x').y = 1 end)()", "#params", "null.x", "null()", "params()", "-params", "1 < 'x'",
      "{} .. 'x'", "string.len()", "(function(...) return ... end)(1, 2)", "error()", "assert(false)",
      "join(map(range(1, 100), function() return ('x'):rep(1000000) end))", "1 // 0", "{[{}] = 1}", "{[1.5] = 1}",
      "pairs({[{}] = 1})");
  CAPTURE(source);
  const auto start = base::thread_cpu_time();
  try {
    const auto value = world(source);
    FAIL("gave " << base::json::serialize(value));
  } catch (const base::Error& error) {
    CHECK(error.kind() == base::ErrorKind::refused);
    const std::string what = error.what();
    CHECK(what.find("0x") == std::string::npos);
    CHECK(what.find("${}:") == std::string::npos);
    CHECK(what.size() < 600);
  }
  CHECK(base::thread_cpu_time() - start < std::chrono::seconds(4));
  CHECK(world("params.name .. ('x'):upper() .. len(params.tags) .. string.upper('y')") == base::json::value("AdaX2Y"));
}

TEST_CASE("an expression that takes over its own environment is back to normal the next time") {
  World world;
  const auto compiled = world.language.compile(model::Expression{
      "(function() local old = params if old.ok then _ENV = {params = {ok = false}} end return old.ok end)()", {}});
  for (int i = 0; i < 3; ++i) CHECK(world.language.evaluate(*compiled, world.scope) == base::json::value(true));
}

TEST_CASE("tables and functions show no address") {
  World world;
  for (const char* source : {"tostring({})", "tostring(len)", "tostring(string)", "tostring(params.empty_object)",
                             "string.format('%s', len)", "json({})"}) {
    CAPTURE(source);
    CHECK(base::json::serialize(world(source)).find("0x") == std::string::npos);
  }
}

TEST_CASE("the memory of one evaluation is given back before the next") {
  World world;
  for (int i = 0; i < 20; ++i) CHECK(world("len(range(1, 900000))") == base::json::value(900000));
}

TEST_CASE("the time that an expression may take is that of the processor, whatever stops its thread") {
  Budget budget;
  budget.time = std::chrono::milliseconds(500);
  World world(budget);
  int began[2];
  REQUIRE(pipe(began) == 0);
  const pid_t evaluating = fork();
  if (evaluating == 0) {
    [[maybe_unused]] const auto told = write(began[1], "x", 1);
    _exit(world("len(range(1, 900000))") == base::json::value(900000) ? 0 : 1);
  }
  char byte = 0;
  REQUIRE(read(began[0], &byte, 1) == 1);
  kill(evaluating, SIGSTOP);
  std::this_thread::sleep_for(budget.time);
  kill(evaluating, SIGCONT);
  int status = 0;
  REQUIRE(waitpid(evaluating, &status, 0) == evaluating);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  close(began[0]);
  close(began[1]);
}

TEST_CASE("a budget can be set") {
  Budget small;
  small.instructions = 10'000;
  small.text = 1000;
  small.memory = 200'000;
  small.output = 500;
  World world(small);
  CHECK(world.error("(function() for i = 1, 100000 do end end)()").find("more than 10000 instructions") !=
        std::string::npos);
  CHECK(world.error("(function() local s = 'x' for i = 1, 12 do s = s .. s end return s end)()")
            .find("a text of more than 0 KiB") != std::string::npos);
  CHECK(world.error("(function() local t = {} for i = 1, 9000 do t[i] = {} end end)()")
            .find("more memory than 195 KiB") != std::string::npos);
  CHECK(world.error("range(1, 100)").find("too large") != std::string::npos);
}
