#include <catch2/catch.hpp>

#include "unit/expression/fixture.hpp"

using namespace godwit;
using expression::Scope;
using expression::test::World;
namespace json = base::json;

namespace {
json::value parsed(const std::string& text) {
  return base::parse_json(text);
}
}  // namespace

TEST_CASE("a path gives the same with and without Lua") {
  World world;
  const auto [path, expected] = GENERATE(table<std::string, std::string>({
      {"params.name", "\"Ada\""},
      {"params.seats", "2"},
      {"params.price", "12.5"},
      {"params.none", "null"},
      {"params.missing", "null"},
      {"params.ok", "true"},
      {"params.tags[1]", "\"b\""},
      {"params.tags[3]", "null"},
      {"params.tags", "[\"b\",\"a\"]"},
      {"params.deep.list[1][2]", "2"},
      {"params['deep'].list[2]", "[3]"},
      {"params.tags.x", "null"},
      {"params.deep[1]", "null"},
      {"params.empty_list", "[]"},
      {"params.empty_object", "{}"},
      {"item[1].origin", "\"FRA\""},
      {"item[2]", "\"LIS\""},
      {"index", "3"},
      {"stages.search.items[2].price", "120.5"},
      {"stages.search.items[3]", "null"},
      {"stages.rank", "[\"LIS\",\"OPO\"]"},
      {"stages.other", "null"},
      {"stages", "{\"rank\":[\"LIS\",\"OPO\"],\"search\":{\"items\":[{\"price\":90},{\"price\":120.5},null]}}"},
  }));
  CAPTURE(path);
  CHECK(world(path) == parsed(expected));
  CHECK(world.through_lua(path) == parsed(expected));
}

TEST_CASE("a path through what has no members fails with and without Lua") {
  World world;
  const std::string path =
      GENERATE("params.missing.x", "params.none.x", "params.seats.x", "parms.name", "params.none[1]");
  CAPTURE(path);
  CHECK(world.error(path).find("failed: ") != std::string::npos);
  CHECK(world.error("(" + path + ")").find("failed: ") != std::string::npos);
}

TEST_CASE("values keep their types on the way through Lua") {
  World world;
  const auto [source, expected] = GENERATE(table<std::string, std::string>({
      {"1", "1"},
      {"1.0", "1.0"},
      {"7 // 2", "3"},
      {"7 / 2", "3.5"},
      {"null", "null"},
      {"nil", "null"},
      {"{}", "{}"},
      {"array{}", "[]"},
      {"{1, 2}", "[1,2]"},
      {"{1, null, 3}", "[1,null,3]"},
      {"{a = 1, b = {c = null}}", R"({"a":1,"b":{"c":null}})"},
      {"{list = params.empty_list, object = params.empty_object}", R"({"list":[],"object":{}})"},
      {"{params.travelers[2]}", R"([{"id":"b","origin":"JFK","max":null}])"},
      {"params.none == null", "true"},
      {"params.missing == nil", "true"},
      {"9223372036854775807", "9223372036854775807"},
      {"'a' .. 1 .. 'b'", "\"a1b\""},
      {"(function() local n = 0 for i = 1, 10 do n = n + i end return n end)()", "55"},
      {"('x'):rep(3, '-')", "\"x-x-x\""},
      {"(''):rep(1 << 60)", "\"\""},
      {"params.name:upper()", "\"ADA\""},
      {"string.format('%05.1f|%s|%s', 2.25, null, {1})", "\"002.2|null|[1]\""},
      {"#params.tags + #item", "4"},
      {"math.max(1, 2.5)", "2.5"},
      {"tostring(12.0)", "\"12.0\""},
      {"type(params) .. type(null) .. type({}) .. type(1) .. type('') .. type(nil)",
       "\"tablenulltablenumberstringnil\""},
      {"'comment' -- to the end", "\"comment\""},
  }));
  CAPTURE(source);
  const json::value value = world(source);
  CHECK(value == parsed(expected));
  CHECK(value.kind() == parsed(expected).kind());
}

TEST_CASE("the functions of the language do what their names say") {
  World world;
  const auto [source, expected] = GENERATE(table<std::string, std::string>({
      {"product({1, 2}, {'a', 'b'})", R"([[1,"a"],[1,"b"],[2,"a"],[2,"b"]])"},
      {"product(params.tags, array{})", "[]"},
      {"product(params.tags)", R"([["b"],["a"]])"},
      {"range(1, 4)", "[1,2,3,4]"},
      {"range(5, 1, -2)", "[5,3,1]"},
      {"range(3, 1)", "[]"},
      {"range(math.maxinteger - 1, math.maxinteger)", "[9223372036854775806,9223372036854775807]"},
      {"dates('2026-02-27', '2026-03-02')", R"(["2026-02-27","2026-02-28","2026-03-01","2026-03-02"])"},
      {"dates('2026-02-27', '2026-03-10', 7)", R"(["2026-02-27","2026-03-06"])"},
      {"{len(params.tags), len('abc'), len(params.deep), len({})}", "[2,3,1,0]"},
      {"sum({1, 2, 3.5})", "6.5"},
      {"sum(array{})", "0"},
      {"{min({3, 1, 2}), max({3, 1, 2}), min(4, 2), max('a', 'b')}", R"([1,3,2,"b"])"},
      {"min(params.empty_list)", "null"},
      {"keys({b = 1, a = 2})", R"(["a","b"])"},
      {"values({b = 1, a = 2})", "[2,1]"},
      {"keys(stages)", R"(["rank","search"])"},
      {"sort(params.tags)", R"(["a","b"])"},
      {"sort({3, 1, 2}, function(a, b) return a > b end)", "[3,2,1]"},
      {"unique({1, 'a', 1, {x = 1}, {x = 1}, 'a'})", R"([1,"a",{"x":1}])"},
      {"join(params.tags, '+')", "\"b+a\""},
      {"join({1, true, null, {2}}, ' ')", "\"1 true null [2]\""},
      {"upper('aé') .. lower('XY')", "\"Aéxy\""},
      {"{round(2.5), round(-2.5), round(3.14159, 2), round(7)}", "[3,-3,3.14,7]"},
      {"{contains(params.tags, 'a'), contains('abc', 'bc'), contains({1}, 2), contains(params.deep, 'list'), "
       "contains({1}, 1.0)}",
       "[true,true,false,true,true]"},
      {"get(params, 'deep.list[1][2]', 0)", "2"},
      {"get(params, 'travelers[2].max', 9)", "9"},
      {"get(params, 'a.b.c', 'd')", "\"d\""},
      {"get(params.tags, 2)", "\"a\""},
      {"json({a = {1, null}})", R"("{\"a\":[1,null]}")"},
      {"map(params.travelers, function(t) return t.id end)", R"(["a","b"])"},
      {"map(params.travelers, function(t, i) return t.gone end)", "[null,null]"},
      {"filter(params.travelers, function(t) return t.origin == 'JFK' end)",
       R"([{"id":"b","origin":"JFK","max":null}])"},
      {"filter(params.travelers, function(t) return false end)", "[]"},
      {"flatten({{1, 2}, array{}, null, {3}})", "[1,2,3]"},
      {"(function() local t = {} for k, v in pairs({b = 1, a = 2, [2] = 0, [1] = 9}) do t[#t + 1] = tostring(k) end "
       "return t end)()",
       R"(["1","2","a","b"])"},
      {"(function() local n = 0 for i, v in ipairs(params.tags) do n = n + i end return n end)()", "3"},
      {"(function() local t = {{k = 1, n = 'a'}, {k = 0, n = 'b'}, {k = 1, n = 'c'}, {k = 0, n = 'd'}} table.sort(t, "
       "function(a, b) return a.k < b.k end) "
       "return map(t, function(x) return x.n end) end)()",
       R"(["b","d","a","c"])"},
      {"tonumber('12') + 1", "13"},
      {"select('#', table.unpack(params.tags))", "2"},
  }));
  CAPTURE(source);
  CHECK(world(source) == parsed(expected));
}

TEST_CASE("an error names the place, the expression and what is wrong") {
  World world;
  CHECK(world.error("params.travelers[1].gone.x") ==
        "job.yaml:7:12 (stages.search.when): the expression ${params.travelers[1].gone.x} failed: attempt to index a "
        "nil value (field 'gone')");
  CHECK(world.error("parms.x") ==
        "job.yaml:7:12 (stages.search.when): the expression ${parms.x} failed: unknown name 'parms'; did you mean "
        "'params'?");
  CHECK(world.error("params.none.x").find("attempt to index a null value (field 'none')") != std::string::npos);
  CHECK(world.error("params.tags + 1").find("attempt to perform arithmetic on a list value (field 'tags')") !=
        std::string::npos);
  CHECK(world.error("1, 2").find("several values") != std::string::npos);
  CHECK(world.error("{1, a = 2}").find("both list items and named members") != std::string::npos);
  CHECK(world.error("{[1] = 1, [3] = 3}").find("has no item 2") != std::string::npos);
  CHECK(world.error("0/0").find("not a finite number") != std::string::npos);
  CHECK(world.error("{f = len}").find("a function cannot be part of the value") != std::string::npos);
  CHECK(world.error("error('no seats left')").find("failed: no seats left") != std::string::npos);
  CHECK(world.error("error({})").find("an error that is no text") != std::string::npos);
  CHECK(world.error("dates('2026-02-30', '2026-03-01')").find("\"2026-02-30\"") != std::string::npos);
  CHECK(world.error("\n\n params.gone.x\n").find("job.yaml:9 ") == 0);
}

TEST_CASE("a syntax error tells where in the expression it is") {
  World world;
  const auto [source, offset] = GENERATE(table<std::string, std::size_t>({
      {" item[1", 7},
      {"item[1)", 6},
      {" params.a + * 2", 12},
      {"a b", 2},
      {"f(1, 2", 6},
      {"1 +", 3},
      {"'abc", 0},
      {"{a b}", 3},
      {"x = 1", 2},
      {"1 end os.exit()", 2},
      {"return 1", 0},
      {"", 0},
      {" -- only words", 0},
  }));
  CAPTURE(source);
  try {
    world.language.compile(model::Expression{source, {"job.yaml", 7, 12, ""}});
    FAIL("compiled");
  } catch (const expression::SyntaxError& error) {
    CAPTURE(error.what());
    CHECK(error.offset() == offset);
    CHECK(error.problems()[0].place.column == 12 + static_cast<int>(offset));
    CHECK(std::string(error.what()).find("${}") == std::string::npos);
  }
}

TEST_CASE("a template keeps the types of whole expressions and writes text into longer strings") {
  World world;
  model::Template source;
  source.value = parsed(
      R"({"who":"${params.name}","seats":"${ params.seats }","text":"${params.name} needs ${params.seats} at ${params.price}: ${params.tags}, ${params.none}",
    "list":[1,"${index}",{"x":"a $${literal} b"}],"constant":{"deep":[true]}})");
  const auto compiled = world.language.compile(source);
  CHECK_FALSE(compiled->is_constant());
  CHECK(
      world.language.render(*compiled, world.scope) ==
      parsed(
          R"({"who":"Ada","seats":2,"text":"Ada needs 2 at 12.5: [\"b\",\"a\"], null","list":[1,3,{"x":"a ${literal} b"}],"constant":{"deep":[true]}})"));
  CHECK(compiled->references() == std::vector<expression::Reference>{{"index", ""},
                                                                     {"params", "name"},
                                                                     {"params", "none"},
                                                                     {"params", "price"},
                                                                     {"params", "seats"},
                                                                     {"params", "tags"}});
}

TEST_CASE("what JSON cannot hold is refused, as a whole value and as a part of a template") {
  World world;
  CHECK_THAT(world.error("params.name:sub(1, 1) .. '\\xe6'"), Catch::Contains("not UTF-8"));
  CHECK_THAT(world.error("{['\\xff'] = 1}"), Catch::Contains("not UTF-8"));
  CHECK_THAT(world.error("'a\\0b'"), Catch::Contains("zero byte"));
  json::value deep = 1, whole = "${ params.nested }";
  for (int level = 0; level < 60; ++level) deep = json::array{deep};
  world.params.as_object()["nested"] = deep;
  const auto render = [&] {
    return world.language.render(*world.language.compile(model::Template{.value = whole}), world.scope);
  };
  for (int level = 0; level < 4; ++level) {
    CHECK(base::is_json(json::serialize(render())));
    whole = level % 2 == 0 ? json::value(json::array{whole}) : json::value(json::object{{"a", whole}});
  }
  CHECK(base::is_json(json::serialize(render())));
  whole = json::array{whole};
  CHECK_THROWS_WITH(render(), Catch::Contains("nested deeper than 64 levels"));
  whole = "${ {{{{{params.nested}}}}} }";
  CHECK_THROWS_WITH(render(), Catch::Contains("nested deeper than 64 levels"));
}

TEST_CASE("a template without expressions is serialised once") {
  World world;
  model::Template source;
  source.value = parsed(R"({"a":[1,{"b":"$${x}"}],"c":{},"d":[]})");
  const auto compiled = world.language.compile(source);
  REQUIRE(compiled->is_constant());
  CHECK(compiled->constant_text() == R"({"a":[1,{"b":"${x}"}],"c":{},"d":[]})");
  CHECK(world.language.render(*compiled, world.scope) == parsed(compiled->constant_text()));
  CHECK(world.language.compile(model::Template{})->constant_text() == "null");
}

TEST_CASE("the brace that ends an expression is found behind braces, texts and comments") {
  World world;
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"${ {a = {1}} }", R"({"a":[1]})"},
      {"${ '}' }", "\"}\""},
      {"${ \"a\\\"}\" }x", "\"a\\\"}x\""},
      {"${ [[}]] }", "\"}\""},
      {"${ [==[}]]]==] }", "\"}]]\""},
      {"${ 1 --[[ } ]] }", "1"},
      {"${ 1 -- }\n }", "1"},
      {"a${1}${2}b", "\"a12b\""},
      {"$5 and $${x}", "\"$5 and ${x}\""},
  }));
  CAPTURE(text);
  model::Template source;
  source.value = json::string(text);
  CHECK(world.language.render(*world.language.compile(source), world.scope) == parsed(expected));
  source.value = "a ${ b";
  CHECK_THROWS_WITH(world.language.compile(source), Catch::Contains("has no }"));
}

TEST_CASE("the names an expression reads are found without running it") {
  World world;
  auto names = [&](const std::string& source) {
    std::string result;
    const auto compiled = world.language.compile(model::Expression{source, {}});
    for (const auto& reference : compiled->references())
      result += (result.empty() ? "" : " ") + reference.root + (reference.member.empty() ? "" : "." + reference.member);
    return result;
  };
  CHECK(names("params.a + params['b'].c") == "params.a params.b");
  CHECK(names("stages.search.items[params.x]") == "params.x stages.search");
  CHECK(names("stages[params.x]") == "params.x stages.*");
  CHECK(names("len(params)") == "params");
  CHECK(names("{params = 1, x = item.params, ['y'] = index}") == "index item.params");
  CHECK(names("map(params.list, function(item) local x <const> = item.a return x end)") == "params.list");
  CHECK(names("(function() for k, v in pairs(params.m) do goto out end ::out:: return null end)()") == "params.m");
  CHECK(names("'params.no' --[[ stages.no ]]").empty());
  CHECK(names("parms.x .. ('y'):upper()") == "parms.x");
  CHECK(names("a == b") == "a b");
}

TEST_CASE("an item's scope adds to its run's scope and hides it") {
  World world;
  const json::value other = "other";
  Scope inner(&world.scope);
  inner.set("item", other);
  inner.set_member("stages", "search", other);
  auto evaluate = [&](const std::string& source) {
    return world.language.evaluate(*world.language.compile(model::Expression{source, {}}), inner);
  };
  CHECK(evaluate("item") == other);
  CHECK(evaluate("index") == json::value(3));
  CHECK(evaluate("stages.search") == other);
  CHECK(evaluate("stages.rank") == json::value(nullptr));
}

TEST_CASE("a compiled expression outlives the language that made it") {
  std::shared_ptr<const expression::Compiled> kept;
  {
    World world;
    kept = world.language.compile(model::Expression{"1 + 1", {}});
  }
  CHECK(kept->source().source == "1 + 1");
}
