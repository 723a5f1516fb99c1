// Goal: what is wrong with a test file is told with its place, all at once. Method: bad files, and what must be said.
#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "lab/difference.hpp"

using namespace godwit;
using Catch::Contains;
using lab::Bench;

namespace {

std::string told(const std::string& tests) {
  try {
    Bench("job: a\nstages: {one: {uses: a.b}}\n", tests).run();
  } catch (const base::Error& error) {
    CHECK(error.kind() == base::ErrorKind::refused);
    return error.what();
  }
  return "nothing";
}

}  // namespace

TEST_CASE("bad test files are refused with the place of every problem") {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "a map with `tests` is needed here"},
      {"{}", "the key 'tests' is missing"},
      {"tests: {}", "there is no test"},
      {"tests: {t: {}}", "x.test.yaml:1:12 (tests.t): `expect` is missing"},
      {"tests: {t: {expct: {}}}", "unknown key 'expct'; did you mean 'expect'?"},
      {"tests: {t: {expect: {state: done}}}", "'done' is no state of a run"},
      {"tests: {t: {expect: {steps: {one: done}}}}", "'done' is no state of a step"},
      {"tests: {t: {expect: {that: 'x'}}}", "an expression is needed here"},
      {"tests: {t: {mocks: {a.b: {output: 1, error: x}}, expect: {}}}", "this says more than one answer"},
      {"tests: {t: {mocks: {a.b: {outptu: 1}}, expect: {}}}", "did you mean 'output'?"},
      {"tests: {t: {mocks: {a.b: {fixture: no.json}}, expect: {}}}", "there is no file"},
      {"tests: {t: {mocks: {a.b: {recorded: x.yaml}}, expect: {}}}", "JSON"},
      {"tests: {t: {mocks: {a.b: '${ inptu.x }'}, expect: {}}}", "unknown name 'inptu'; did you mean 'input'?"},
      {"tests: {t: {events: [{at: soon, pause: true}], expect: {}}}", "a duration such as 30s"},
      {"tests: {t: {events: [{pause: true}], expect: {}}}", "`at` is missing"},
      {"{job: no.yaml, tests: {t: {expect: {}}}}", "there is no file"},
      {"{now: today, tests: {t: {expect: {}}}}", "an instant such as"},
  };
  for (const auto& [tests, said] : cases) {
    INFO(tests);
    CHECK_THAT(told(tests), Contains(said));
  }
  const auto both = told("tests: {t: {mocks: {a.b: {}}, expect: {state: done}}}");
  CHECK_THAT(both, Contains("this says no answer") && Contains("'done' is no state"));
}

TEST_CASE("differences name the place, and parts look no further than they say") {
  using lab::Match;
  const auto of = [](const char* expected, const char* got, Match match) {
    std::string text;
    for (const auto& line : lab::differences(base::parse_json(expected), base::parse_json(got), match, "r"))
      text += line + "\n";
    return text;
  };
  CHECK(of(R"({"a": [1, {"b": 2.0}]})", R"({"a": [1, {"b": 2}]})", Match::whole) == "");
  CHECK(of(R"({"a": 1})", R"({"a": 1, "b": 2})", Match::part) == "");
  CHECK(of(R"({"a": 1})", R"({"a": 1, "b": 2})", Match::whole) == "r.b: expected nothing, got 2\n");
  CHECK(of(R"({"a": [1, 2]})", R"({"a": [1]})", Match::part) == "r.a[1]: expected 2, got nothing\n");
  CHECK(of(R"({"a": "x"})", R"({"a": null})", Match::part) == "r.a: expected \"x\", got null\n");
  CHECK(of("1", "\"1\"", Match::whole) == "r: expected 1, got \"1\"\n");
}
