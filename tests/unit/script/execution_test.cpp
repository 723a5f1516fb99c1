// Goal: scripts do what gw says, and go on after a cut where they were. Method: a journal and a provider without
// engine.
#include <catch2/catch.hpp>

#include "script_world.hpp"

using namespace godwit;
using test::ScriptWorld;

namespace {

std::string job(const std::string& body) {
  return "local gw = require 'godwit'\nreturn gw.job { name = 'job', run = function(p)\n" + body + "\nend }\n";
}

std::vector<std::string> list(std::initializer_list<const char*> items) {
  return {items.begin(), items.end()};
}

}  // namespace

TEST_CASE("a call is a step with the method's name") {
  ScriptWorld world(job("local a = gw.call('mail', 'send', {to = p.to})\nreturn {got = a.to, n = 1}"));
  world.params = R"({"to":"x"})";
  REQUIRE(world.go());
  CHECK(world.result() == R"({"got":"x","n":1})");
  CHECK(world.paths() == list({"mail.send"}));
}

TEST_CASE("equal calls in one scope are told apart, and so are names with other arguments") {
  ScriptWorld world(
      job("local n = 0\nfor i = 1, 2 do n = n + gw.call('a.b', {x = 1}).x end\n"
          "return n + gw.call('a.b', {x = 2}).x"));
  REQUIRE(world.go());
  CHECK(world.result() == "4");
  REQUIRE(world.journal.size() == 3);
  CHECK(world.journal[0].path == "a.b");
  CHECK(world.journal[1].path.starts_with("a.b~"));
  CHECK(world.journal[2].path.starts_with("a.b~"));
  CHECK(world.journal[1].path != world.journal[2].path);
  // All of it comes from the journal the second time.
  world.calls.clear();
  REQUIRE(world.go());
  CHECK(world.result() == "4");
  CHECK(world.calls.empty());
}

TEST_CASE("each goes over its items at once, results in their order, steps named as in YAML") {
  ScriptWorld world(
      job("return gw.each('search', p.items, {parallel = 3}, function(item, i)\n"
          "return gw.call('f/1.search', {q = item}).q .. i end)"));
  world.params = R"({"items":["a","b","c","d","e"]})";
  std::mt19937_64 random(3);
  world.shuffle = &random;
  REQUIRE(world.go());
  CHECK(world.result() == R"(["a1","b2","c3","d4","e5"])");
  CHECK(world.requests_max == 3);
  auto paths = world.paths();
  std::sort(paths.begin(), paths.end());
  CHECK(paths == list({"search[0]", "search[1]", "search[2]", "search[3]", "search[4]", "search[]"}));
}

TEST_CASE("more steps of an item stand below it") {
  ScriptWorld world(
      job("return gw.each('days', {1, 2}, function(d)\n"
          "local a = gw.call('a.b', {d = d})\n return gw.call('c.d', {d = a.d}).d end)"));
  REQUIRE(world.go());
  CHECK(world.result() == "[1,2]");
  auto paths = world.paths();
  std::sort(paths.begin(), paths.end());
  CHECK(paths == list({"days[0]", "days[0]/c.d", "days[1]", "days[1]/c.d", "days[]"}));
}

TEST_CASE("a fold sees results in the order of the items") {
  ScriptWorld world(
      job("return gw.each('n', {3, 1, 2}, {fold = {'', function(acc, r, item, i) return acc .. r .. ':' .. item .. ':' "
          ".. i .. ' ' end}},\n"
          "function(n) return gw.call('a.b', {n = n}).n * 10 end)"));
  std::mt19937_64 random(5);
  world.shuffle = &random;
  REQUIRE(world.go());
  CHECK(world.result() == "\"30:3:1 10:1:2 20:2:3 \"");
}

TEST_CASE("all runs branches at once and gives results by key") {
  ScriptWorld world(
      job("local r = gw.all {left = function() return gw.call('a.b', {x = 1}).x end, right = function() return "
          "gw.call('a.b', {x = 2}).x end}\n"
          "local l = gw.all {function() return 5 end, function() return 6 end}\nreturn {r, l[1], l[2]}"));
  REQUIRE(world.go());
  CHECK(world.result() == R"([{"left":1,"right":2},5,6])");
  CHECK(world.requests_max == 2);
}

TEST_CASE("first cancels the others and remembers who won") {
  ScriptWorld world(
      job("local v, k = gw.first {slow = function() return gw.call('s.low', {}) end, fast = function() return "
          "gw.call('f.ast', {v = 1}).v end}\n"
          "gw.call('after.it', {k = k})\nreturn k"));
  world.hold = [](const script::Request& request) { return request.uses == "s.low"; };
  REQUIRE(world.go());
  CHECK(world.result() == "\"fast\"");
  world.calls.clear();
  REQUIRE(world.go());
  CHECK(world.result() == "\"fast\"");
  CHECK(world.calls.empty());
}

TEST_CASE("the failure of a step is an error that try catches") {
  ScriptWorld world(
      job("local ok, err = gw.try(function() return gw.call('a.b', {}) end)\nreturn {ok, err.code, err.message, "
          "err.step}"));
  world.provider = [](const script::Request&) -> std::string {
    throw model::Failure{"quota", "no more today", false, {}};
  };
  REQUIRE(world.go());
  CHECK(world.result() == R"([false,"quota","no more today","a.b"])");
}

TEST_CASE("an uncaught failure fails the run with the script's lines") {
  ScriptWorld world(job("local function ask()\n  return gw.call('a.b', {})\nend\nlocal x = ask()\nreturn x"));
  world.provider = [](const script::Request&) -> std::string {
    throw model::Failure{"quota", "no more today", false, {}};
  };
  REQUIRE(world.go());
  REQUIRE(world.ended());
  CHECK(world.end().failure.code == "quota");
  CHECK(world.end().path == "a.b");
  CHECK_THAT(world.end().failure.message, Catch::Contains("no more today"));
  CHECK_THAT(world.end().failure.message, Catch::Contains("job.lua:4") && Catch::Contains("return gw.call('a.b', {})"));
}

TEST_CASE("an item that fails: fail, skip, record") {
  const auto run = [](const std::string& mode) {
    ScriptWorld world(job("return gw.each('n', {1, 2, 3}, {on_error = '" + mode +
                          "'}, function(n) return gw.call('a.b', {n = n}).n end)"));
    world.provider = [](const script::Request& request) -> std::string {
      if (request.path == "n[1]") throw model::Failure{"bad", "two", false, {}};
      return request.input;
    };
    REQUIRE(world.go());
    const std::string result = world.result();
    world.calls.clear();
    REQUIRE(world.go());
    CHECK(world.result() == result);
    CHECK(world.calls.empty());
    return result;
  };
  CHECK_THAT(run("fail"), Catch::Contains("failed bad: two"));
  CHECK(run("skip") == "[1,3]");
  CHECK_THAT(
      run("record"),
      Catch::Contains(R"({"error":{"code":"bad","message":"two"},"index":1,"item":2,"output":null,"state":"failed"})"));
}

TEST_CASE("memo and emit are recorded once") {
  ScriptWorld world(
      job("local m = gw.memo('costly', function() return {1, 2} end)\ngw.emit('prices', {{a = 1}, {a = "
          "2}})\ngw.call('a.b', {})\nreturn m"));
  REQUIRE(world.go());
  CHECK(world.result() == "[1,2]");
  CHECK(world.paths() == list({"costly", "emit.prices", "a.b"}));
  REQUIRE(world.go());
  CHECK(world.journal.size() == 3);
}

TEST_CASE("a frontier grows, each key once") {
  ScriptWorld world(
      job("return gw.frontier('crawl', {'a'}, {parallel = 2}, function(page, grow)\n"
          "for _, link in ipairs(gw.call('web.get', {page = page}).links) do grow(link) end\nreturn page end)"));
  const std::map<std::string, std::string> links{
      {"a", R"(["b","c"])"}, {"b", R"(["c","a","d"])"}, {"c", "[]"}, {"d", R"(["a"])"}};
  world.provider = [&](const script::Request& request) {
    return "{\"links\":" + links.at(std::string(base::parse_json(request.input).at("page").as_string())) + "}";
  };
  REQUIRE(world.go());
  CHECK(world.result() == R"(["a","b","c","d"])");
  world.calls.clear();
  REQUIRE(world.go());
  CHECK(world.result() == R"(["a","b","c","d"])");
  CHECK(world.calls.empty());
  CHECK(world.paths() == list({"crawl[]", "crawl[0]", "crawl[1]", "crawl[2]", "crawl[3]"}));
}

TEST_CASE("a frontier tells a text from a number, and may be as deep as its first items only") {
  ScriptWorld world(
      job("return gw.frontier('n', {1, '1', 1}, {depth = 0}, function(n, grow) grow('more') return n end)"));
  REQUIRE(world.go());
  CHECK(world.result() == R"([1,"1"])");
}

TEST_CASE("clock, random numbers and uuids are the same in every life") {
  ScriptWorld world(job("gw.call('a.b', {})\nreturn {gw.now(), math.random(), gw.random(10), gw.uuid()}"));
  REQUIRE(world.go());
  const std::string first = world.result();
  REQUIRE(world.go());
  CHECK(world.result() == first);
  CHECK_THAT(first, Catch::Contains("-4"));
}

TEST_CASE("done ends the run from within a branch") {
  ScriptWorld world(
      job("gw.each('n', {1, 2}, function(n) if n == 2 then gw.done {early = true} end gw.call('a.b', {}) end)"));
  REQUIRE(world.go());
  CHECK(world.result() == R"({"early":true})");
}

TEST_CASE("modules are pinned with the script and may be wrong themselves") {
  ScriptWorld world(job("return require('lib.prices').double(4)"),
                    {{"lib.prices", "local m = {}\nfunction m.double(x)\n  return x * 2\nend\nreturn m"}});
  REQUIRE(world.go());
  CHECK(world.result() == "8");
  ScriptWorld missing(job("return require('lib.price')"), {{"lib.prices", "return {}"}});
  REQUIRE(missing.go());
  CHECK_THAT(missing.describe(),
             Catch::Contains("there is no module 'lib.price'") && Catch::Contains("did you mean 'lib.prices'"));
}

TEST_CASE("a cut after every recording gives the same result, and no finished step is done again") {
  const std::string text =
      job("local found = gw.each('search', gw.array(p.items), {parallel = 3, fold = {0, function(acc, r) return acc + "
          "r end}}, function(i)\n"
          "  local a = gw.call('a.b', {i = i})\n  gw.log('at ' .. i)\n  return gw.call('c.d', {i = a.i}).i\nend)\n"
          "local both = gw.all {x = function() return gw.call('x.x', {}) end, y = function() gw.sleep('1h') return "
          "gw.now() end}\n"
          "local ok = gw.try(function() gw.call('bad.one', {}) end)\n"
          "gw.emit('sum', {sum = found})\n"
          "return {found, both.y, ok, gw.uuid(), gw.call('last', {found = found}).found}");
  const auto provider = [](const script::Request& request) -> std::string {
    if (request.uses == "bad.one") throw model::Failure{"bad", "always", false, {}};
    return request.input;
  };
  for (int seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(static_cast<std::uint64_t>(seed));
    ScriptWorld world(text);
    world.params = R"({"items":[1,2,3,4,5,6]})";
    world.provider = provider;
    world.shuffle = &random;
    while (!world.go(random() % 4)) REQUIRE(world.lives < 200);
    CHECK_THAT(world.result(), Catch::StartsWith("[21,"));
    for (const auto& [call, count] : world.calls) {
      INFO(call);
      CHECK(count == 1);
    }
    const std::string result = world.result();
    REQUIRE(world.go());
    CHECK(world.result() == result);
  }
}

TEST_CASE("a script that asks for something else is blocked with both sides") {
  ScriptWorld world(job("gw.call('a.b', {})\ngw.call('c.d', {})\ngw.sleep('1h')"));
  CHECK_FALSE(world.go(2));
  const auto changed = [&](const std::string& body) {
    ScriptWorld other(job(body));
    other.journal = world.journal;
    REQUIRE(other.go());
    return other.describe();
  };
  // Inserted, renamed, deleted, changed arguments: blocked.
  CHECK_THAT(changed("gw.call('a.b', {})\ngw.call('new.one', {})\ngw.call('c.d', {})\ngw.sleep('1h')"),
             Catch::Contains("mismatch") && Catch::Contains("\"path\":\"c.d\"") && Catch::Contains("new.one") &&
                 Catch::Contains("\"line\":4"));
  CHECK_THAT(changed("gw.call('a.b', {})\ngw.call('c.e', {})\ngw.sleep('1h')"), Catch::Contains("mismatch"));
  CHECK_THAT(changed("gw.call('c.d', {})\ngw.sleep('1h')"), Catch::Contains("mismatch"));
  CHECK_THAT(changed("gw.call('a.b', {})"), Catch::Contains("mismatch"));
  CHECK_THAT(changed("gw.call('a.b', {x = 1})\ngw.call('c.d', {})"), Catch::Contains("mismatch"));
  // In another order, or with more at the end: goes on.
  CHECK(changed("gw.call('c.d', {})\ngw.call('a.b', {})\ngw.sleep('1h')\ngw.call('e.f', {})") == "succeeded");
}

TEST_CASE("a long list is folded away and comes back as what is in flight") {
  ScriptWorld world(
      job("return gw.each('n', gw.range(1, 25000), {parallel = 50, fold = {0, function(acc, r) return acc + r end}}, "
          "function(n) return gw.call('a.b', {n = n}).n end)"));
  world.bundle.text =
      job("return gw.each('n', range(1, 25000), {parallel = 50, fold = {0, function(acc, r) return acc + r end}}, "
          "function(n) return gw.call('a.b', {n = n}).n end)");
  CHECK_FALSE(world.go(17'500));
  CHECK(world.journal.size() < 1'100);
  CHECK_FALSE(world.go(3'000));
  CHECK(world.go());
  CHECK(world.result() == "312512500");
  for (const auto& [call, count] : world.calls) REQUIRE(count == 1);
}

TEST_CASE("results of a long list are kept in slices") {
  ScriptWorld world(
      job("local r = gw.each('n', range(1, 12000), function(n) return gw.call('a.b', {n = n}).n end)\nreturn {#r, "
          "r[1], r[12000]}"));
  CHECK_FALSE(world.go(5'500));
  CHECK(world.go());
  CHECK(world.result() == "[12000,1,12000]");
}

TEST_CASE("random numbers drawn where a later life does not come are drawn from another stream") {
  ScriptWorld memo(
      job("local a = gw.memo('m', function() return gw.random(1000000) end)\n"
          "local b = gw.random(1000000)\ngw.call('a.b', {b = b}) gw.call('a.c', {})\nreturn {a, b, gw.uuid()}"));
  CHECK_FALSE(memo.go(1));
  CHECK(memo.go());
  const std::string first = memo.result();
  CHECK(first.front() == '[');
  CHECK(memo.go());
  CHECK(memo.result() == first);
  ScriptWorld fold(
      job("local r = gw.each('n', range(1, 10500), {fold = {0, function(acc) return acc + gw.random(10) end}},\n"
          "function(n) return gw.call('a.b', {n = n}).n end)\nlocal x = gw.random(1000000)\n"
          "return {r, x, gw.call('a.c', {x = x}).x}"));
  ScriptWorld whole(fold.bundle.text);
  CHECK(whole.go());
  CHECK_FALSE(fold.go(4'321));
  CHECK_FALSE(fold.go(6'000));
  CHECK(fold.go());
  CHECK(fold.result() == whole.result());
  const std::string done = fold.result();
  CHECK(fold.go());
  CHECK(fold.result() == done);
}

TEST_CASE("what the losers of gw.first had done is no mismatch in a later life") {
  ScriptWorld world(
      job("local r = gw.first {a = function() gw.call('a.one', {}) gw.call('a.two', {}) return 'a' end,\n"
          "b = function() gw.call('b.one', {}) gw.call('b.two', {}) gw.call('b.three', {}) return 'b' end}\n"
          "return {r, gw.call('c.d', {}).x or 'end'}"));
  world.hold = [](const script::Request& request) { return request.uses == "b.three"; };
  CHECK(world.go());
  CHECK(world.result() == R"(["a","end"])");
  CHECK(world.go());
  CHECK(world.result() == R"(["a","end"])");
  for (std::size_t cut = 0; cut < 8; ++cut) {
    ScriptWorld again(world.bundle.text);
    again.hold = world.hold;
    again.go(cut);
    CHECK(again.go());
    CHECK(again.result() == R"(["a","end"])");
  }
}

TEST_CASE("a step that loses before it was told is never made") {
  ScriptWorld world("local gw = require 'godwit'\nreturn gw.job { name = 'job', run = function()\n"
                    "return (gw.first { a = function() return gw.call('a.b', {}) end, b = function() return 2 end })\n"
                    "end }\n");
  REQUIRE(world.go());
  CHECK(world.result() == "2");
  CHECK(world.calls.empty());
}
