#include <catch2/catch.hpp>

#include "base/time.hpp"
#include "jobfile/parameters.hpp"
#include "unit/jobfile/fixture.hpp"

using namespace godwit;
namespace json = base::json;

namespace {

const std::string kTrip = R"(job: trip
types:
  airport: {type: string, pattern: "^[A-Z]{3}$"}
  window: {type: object, required: [earliest, latest], additionalProperties: false, properties: {earliest: string, latest: string}}
  filters:
    type: object
    additionalProperties: false
    properties:
      max_stops: {type: integer, minimum: 0, maximum: 9, default: 2}
      departure: {$ref: window}
  traveler: {type: object, required: [name, origin], properties: {name: {type: string, minLength: 1}, origin: {$ref: airport}, filters: {$ref: filters, default: {}}}}
params:
  travelers: {type: array, minItems: 1, items: {$ref: traveler}}
  destinations: {type: array, minItems: 1, uniqueItems: true, items: {$ref: airport}}
  outbound: {type: string, format: date}
  back: {type: string, format: date, optional: true}
  mail: {type: string, format: email, optional: true}
  page: {type: string, format: uri, optional: true}
  at: {type: string, format: date-time, optional: true}
  cabin: {enum: [economy, business], default: economy}
checks:
  - {that: "${ params.back == nil or params.back >= params.outbound }", message: "back ${ params.back } is before outbound ${ params.outbound }", path: back}
stages: {one: {uses: u.m}}
)";

std::string given(const std::string& params) {
  static const model::Job kJob = jobfile::parse(kTrip, "trip.yaml");
  try {
    return json::serialize(jobfile::check_parameters(kJob, base::parse_json(params).as_object()));
  } catch (const base::Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("parameters that fit come back with their defaults, at every depth") {
  CHECK(
      base::parse_json(
          given(R"({"travelers":[{"name":"Ada","origin":"FRA"}],"destinations":["LIS"],"outbound":"2026-05-01"})")) ==
      base::parse_json(
          R"({"travelers":[{"name":"Ada","origin":"FRA","filters":{"max_stops":2}}],"destinations":["LIS"],"outbound":"2026-05-01","cabin":"economy"})"));
}

TEST_CASE("every violation is told with its path") {
  CHECK(
      given(
          R"({"travelers":[{"name":"","origin":"FRA"},{"name":"Bo","origin":"fra","filters":{"max_stops":"two","departure":{"earliest":"08:00"},"max_stop":1}}],
    "destinations":[],"outbound":"2026-02-30","cabin":"first","tavelers":[]})") ==
      "tavelers: unknown name 'tavelers'; did you mean 'travelers'?\n"
      "travelers[1].filters.max_stop: unknown name 'max_stop'; did you mean 'max_stops'?\n"
      "outbound: \"2026-02-30\" is not a valid date\n"
      "cabin: must be one of [\"economy\",\"business\"]\n"
      "destinations: must have at least 1 item\n"
      "travelers[0].name: must have at least 1 character\n"
      "travelers[1].filters.departure.latest: is missing\n"
      "travelers[1].filters.max_stops: must be a whole number, not text\n"
      "travelers[1].origin: \"fra\" does not match the pattern ^[A-Z]{3}$");
  CHECK(given("{}") == "destinations: is missing\noutbound: is missing\ntravelers: is missing");
  CHECK(given(R"({"travelers":null,"destinations":["LIS","OPO","LIS"],"outbound":"2026-05-01"})") ==
        "destinations: items [0] and [2] are equal\ntravelers: must be a list, not null");
}

TEST_CASE("checks run on parameters that fit the schema") {
  CHECK(
      given(
          R"({"travelers":[{"name":"Ada","origin":"FRA"}],"destinations":["LIS"],"outbound":"2026-05-02","back":"2026-05-01"})") ==
      "back: back 2026-05-01 is before outbound 2026-05-02");
}

TEST_CASE("formats are checked") {
  const std::string base =
      R"({"travelers":[{"name":"Ada","origin":"FRA"}],"destinations":["LIS"],"outbound":"2026-05-02",)";
  const auto [member, good] = GENERATE(table<std::string, bool>({
      {R"("mail":"a.b+c@example.org")", true},
      {R"("mail":"a b@example.org")", false},
      {R"("mail":"@example.org")", false},
      {R"("mail":"a@")", false},
      {R"("mail":"a@b..c")", false},
      {R"("page":"https://example.org/a?b=c#d")", true},
      {R"("page":"example.org")", false},
      {R"("page":"http://a b")", false},
      {R"("at":"2026-05-01T10:00:00Z")", true},
      {R"("at":"2026-05-01T10:00:00.25+02:00")", true},
      {R"("at":"2026-05-01 10:00")", false},
      {R"("at":"2026-05-01T25:00:00Z")", false},
      {R"("back":"2028-02-29")", true},
      {R"("back":"2027-02-29")", false},
      {R"("back":"2026-5-1")", false},
  }));
  CAPTURE(member);
  CHECK((given(base + member + "}").find("is not a valid") == std::string::npos) == good);
}

namespace {

// What a schema of the parameter n says of a value of it.
std::string complaint(const std::string& schema, const std::string& value) {
  try {
    jobfile::InputSchema(base::parse_json(R"({"properties": {"n": )" + schema + "}}").as_object())
        .check(base::parse_json(R"({"n": )" + value + "}"));
    return {};
  } catch (const base::Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("what a schema wants is told in words for people") {
  const auto [schema, value, told] = GENERATE(table<std::string, std::string, std::string>({
      {R"({"oneOf": [{"required": ["argv"]}, {"required": ["script"]}]})", "{}", "n: give one of: argv, script"},
      {R"({"oneOf": [{"required": ["argv"]}, {"required": ["script"]}]})", R"({"argv": 1, "script": 1})",
       "n: give only one of: argv, script"},
      {R"({"anyOf": [{"required": ["a", "b"]}, {"required": ["c"]}]})", R"({"a": 1})", "n: give one of: a and b, c"},
      {R"({"not": {"required": ["body", "json"]}})", R"({"body": 1, "json": 1})",
       "n: body and json do not go together"},
      {R"({"maximum": 16777216})", "17000000", "n: must be at most 16777216, not 17000000"},
      {R"({"minimum": 0.5})", "0.25", "n: must be at least 0.5, not 0.25"},
      {R"({"exclusiveMinimum": 0})", "0", "n: must be more than 0, not 0"},
      {R"({"exclusiveMaximum": 100.0})", "100", "n: must be less than 100.0, not 100"},
      {R"({"multipleOf": 3})", "4", "n: must be a multiple of 3, not 4"},
      {R"({"maxItems": 1})", "[1, 2]", "n: must have at most 1 item"},
      {R"({"minItems": 2})", "[1]", "n: must have at least 2 items"},
      {R"({"minLength": 2})", R"("a")", "n: must have at least 2 characters"},
      {R"({"maxLength": 2})", R"("abc")", "n: must have at most 2 characters"},
      {R"({"minProperties": 1})", "{}", "n: must have at least 1 member"},
      {R"({"allOf": [{"maximum": 9}, {"maximum": 5}]})", "7", "n: must be at most 5, not 7"},
      {R"({"anyOf": [{"type": "string"}, {"type": "integer"}]})", "null",
       "n: must be text or a whole number, not null"},
      {R"({"type": "string"})", "100.0", "n: must be text, not the number 100.0; write it in quotes: \"100.0\""},
  }));
  CAPTURE(schema, value);
  CHECK(complaint(schema, value) == told);
}

TEST_CASE("a number without a fraction is a whole one, however it is written") {
  for (const char* value : {"5", "5.0", "5e0", "-0.0", "50e-1"}) {
    CAPTURE(value);
    CHECK(complaint(R"({"type": "integer"})", value) == "");
  }
  CHECK(complaint(R"({"enum": [5, "a"]})", "5.0") == "");
  CHECK(complaint(R"({"const": 5.0})", "5") == "");
  CHECK(complaint(R"({"type": "integer", "multipleOf": 5})", "10.0") == "");
  CHECK(complaint(R"({"type": "integer"})", "5.5") == "n: must be a whole number, not the number 5.5");
  CHECK(complaint(R"({"type": "integer"})", "1e300") == "n: must be a whole number, not the number 1E300");
  // What is stored is the integer; where any number will do it stays as it was given.
  const model::Job job =
      jobfile::parse(jobfile::test::with_stage(
                         "", "params: {n: integer, list: 'integer[]', maybe: {type: [integer, 'null']}, x: number}\n"),
                     "f");
  CHECK(jobfile::check_parameters(
            job, base::parse_json(R"({"n": 5.0, "list": [1, 2.0], "maybe": 3.0, "x": 4.0})").as_object()) ==
        base::parse_json(R"({"n": 5, "list": [1, 2], "maybe": 3, "x": 4.0})").as_object());
}

TEST_CASE("who gives a number where text is wanted is told how to write it") {
  const model::Job job = jobfile::parse(jobfile::test::with_stage("", "params: {s: string, list: 'string[]?'}\n"), "f");
  CHECK_THROWS_WITH(
      jobfile::check_parameters(job, {{"s", 123}}),
      R"(s: must be text, not the number 123; write it in quotes: "123", on a command line -p 's="123"')");
  CHECK_THROWS_WITH(jobfile::check_parameters(job, {{"s", "a"}, {"list", json::array{true}}}),
                    R"(list[0]: must be text, not true; write it in quotes: "true")");
}

TEST_CASE("a job without parameters takes none, and looks at no schema") {
  const model::Job job = jobfile::parse(jobfile::test::with_stage(""), "f");
  expression::Language language;
  const jobfile::ParameterSchema schema(job, language);
  CHECK(schema.check({}).empty());
  CHECK_THROWS_WITH(schema.check({{"x", 1}}), "x: job 'test' has no parameters");
}

TEST_CASE("hostile values and schemas neither crash nor hang the check") {
  const auto start = base::thread_cpu_time();
  const jobfile::InputSchema pattern(
      base::parse_json(R"({"properties":{"a":{"type":"string","pattern":"^(a+)+$"}}})").as_object());
  CHECK_THROWS_WITH(pattern.check(json::value{{"a", std::string(1'000'000, 'a')}}),
                    Catch::Contains("too many to be held against a pattern"));
  CHECK_THROWS_WITH(pattern.check(json::value{{"a", std::string(1000, 'a') + "b"}}), Catch::Contains("does not match"));
  const jobfile::InputSchema choice(
      base::parse_json(R"({"anyOf":[{"type":"string","pattern":"^(a|b)*$"},{"type":"integer"}]})").as_object());
  CHECK_THROWS(choice.check(json::value(std::string(1'000'000, 'a'))));
  CHECK_NOTHROW(choice.check(json::value(7)));
  CHECK_THROWS(choice.check(json::value(nullptr)));
  json::array many;
  for (int i = 0; i < 200'000; ++i) many.push_back(i);
  const jobfile::InputSchema unique(
      base::parse_json(R"({"type":"array","uniqueItems":true,"items":{"type":"string"}})").as_object());
  try {
    unique.check(many);
    FAIL("accepted");
  } catch (const base::Error& error) {
    CHECK(error.problems().size() <= 50);
  }
  for (const char* schema :
       {R"({"$ref":"#"})",
        R"({"allOf":[{"$ref":"#/definitions/a"}],"definitions":{"a":{"anyOf":[{"$ref":"#/definitions/a"}]}}})",
        R"({"$ref":"file:///etc/passwd"})", R"({"properties":[]})", R"({"type":7})", R"({"minItems":"x"})",
        R"({"pattern":"(a{999}){999}"})", R"({"required":"x"})", R"({"items":3})", R"({"enum":3})"}) {
    CAPTURE(schema);
    CHECK_THROWS_AS(jobfile::InputSchema(base::parse_json(schema).as_object(), "u.m"), base::Error);
  }
  const jobfile::Schema endless(
      base::parse_json(
          R"({"$ref":"#/definitions/a","definitions":{"a":{"properties":{"n":{"allOf":[{"$ref":"#/definitions/a"}],"default":{}}}}}})")
          .as_object());
  json::value tree = json::object();
  CHECK_THROWS_AS(endless.fill_defaults(tree), base::Error);
  CHECK(base::thread_cpu_time() - start < std::chrono::seconds(20));
}
