#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/digest.hpp"
#include "base/time.hpp"
#include "unit/jobfile/fixture.hpp"

using namespace godwit;
using jobfile::parse;
using jobfile::test::problems;
using jobfile::test::with_stage;

TEST_CASE("a job file becomes a job with everything it says") {
  const std::string text = R"(job: flock
description: Where to meet
timeout: 2h
limits: {amadeus: 4}
types:
  traveler: {type: object, required: [origin], properties: {origin: string}}
params:
  travelers: {type: array, minItems: 1, items: {$ref: traveler}}
  destinations: {type: array, items: {type: string}}
  date: {type: string, format: date, default: 2026-05-01}
  note: {type: string, optional: true}
checks:
  - {that: "${ len(params.travelers) < 10 }", message: "too many: ${ len(params.travelers) }", path: travelers}
stages:
  search:
    foreach: ${ product(params.travelers, params.destinations) }
    parallel: 8
    when: ${ params.date > '2026' }
    uses: flight-search/1.search
    with: {origin: "${ item[1].origin }", depart: "${ params.date }", adults: 1}
    output: {price: "${ output.price }"}
    limits: {amadeus: 1}
    retry: {attempts: 5, backoff: 2s, max: 1m, factor: 3, jitter: 0.5}
    timeout: 30s
    on_item_error: record
    retry_safe: true
    emit: {to: prices, rows: "${ output.offers }"}
  rank:
    needs: search
    uses: flights.rank_group
    with: {found: "${ stages.search.items }"}
result: ${ stages.rank }
)";
  const model::Job job = parse(text, "flock.yaml");
  CHECK(job.name == "flock");
  CHECK(job.version == base::sha256_hex(text));
  CHECK(job.text == text);
  CHECK(job.timeout == std::chrono::hours(2));
  CHECK(job.limits == std::map<std::string, model::LimitSpec>{{"amadeus", {.permits = 4}}});
  CHECK(job.schema.at("required") == base::parse_json(R"(["travelers","destinations"])"));
  CHECK(job.params.at("travelers").at("items") == base::parse_json(R"({"$ref":"#/definitions/traveler"})"));
  CHECK_FALSE(job.params.at("note").as_object().contains("optional"));
  REQUIRE(job.checks.size() == 1);
  CHECK(job.checks[0].path == "travelers");
  REQUIRE(job.stages.size() == 2);
  const model::Stage& search = job.stages[0];
  CHECK(search.place.text() == "flock.yaml:15:3 (stages.search)");
  REQUIRE(search.foreach);
  CHECK(search.foreach->place.text() == "flock.yaml:16:16 (stages.search.foreach)");
  CHECK(search.parallel == 8);
  CHECK(search.with.expressions.at("origin").at(0).text() == "flock.yaml:20:23 (stages.search.with.origin)");
  CHECK(search.with.value.at("adults") == base::json::value(1));
  CHECK(search.retry.attempts == 5);
  CHECK(search.retry.max == std::chrono::minutes(1));
  CHECK(search.retry.jitter == 0.5);
  CHECK(search.on_item_error == model::OnItemError::record);
  CHECK(search.retry_safe == true);
  CHECK(search.emit->to == "prices");
  CHECK(job.stages[1].needs == std::vector<std::string>{"search"});
  REQUIRE(job.result);
}

TEST_CASE("the shipped jobs are accepted") {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(GODWIT_SOURCE_DIR "/scripts")) {
    if (entry.path().extension() != ".yaml" || entry.path().stem().extension() == ".test") continue;
    CAPTURE(entry.path());
    std::ifstream in(entry.path());
    std::ostringstream text;
    text << in.rdbuf();
    CHECK_NOTHROW(parse(text.str(), entry.path()));
  }
}

TEST_CASE("all problems of a file are told at once, in the order of the file") {
  const std::string found = problems(R"(job: "my job"
timeout: soon
prams: {}
concurrency: 1
stages:
  one:
    uses: no thing
    need: [two]
    retry: {attempts: 0, backof: 1s}
  2two:
    uses: a.b
    parallel: 3
    on_item_error: explode
)");
  CHECK(found ==
        "job.yaml:1:6 (job): 'my job' cannot be a job's name; use letters, digits, _, - and .\n"
        "job.yaml:2:10 (timeout): a duration such as 30s, 1h30m or 3d is needed here, not 'soon'\n"
        "job.yaml:3:1 (prams): unknown key 'prams'; did you mean 'params'?\n"
        "job.yaml:4:14 (concurrency): an expression is needed here, not a number; write it as ${ ... }\n"
        "job.yaml:7:11 (stages.one.uses): 'no thing' cannot be the name of a method; write unit.method, contract/version.method "
        "such as flight-search/1.search, or the name of a stage plugin's unit\n"
        "job.yaml:8:5 (stages.one.need): unknown key 'need'; did you mean 'needs'?\n"
        "job.yaml:9:23 (stages.one.retry.attempts): a number from 1 to 1000000 is needed here, not 0\n"
        "job.yaml:9:26 (stages.one.retry.backof): unknown key 'backof'; did you mean 'backoff'?\n"
        "job.yaml:10:3 (stages.2two): '2two' cannot be a stage's name; use letters, digits and _, and no digit first\n"
        "job.yaml:12:15 (stages.2two.parallel): parallel needs a foreach\n"
        "job.yaml:13:20 (stages.2two.on_item_error): 'explode' is unknown; one of fail, skip, record is needed here\n"
        "job.yaml:13:20 (stages.2two.on_item_error): on_item_error needs a foreach");
}

TEST_CASE("what has the wrong type is refused with its place") {
  CHECK(problems("[1, 2]") == "job.yaml:1:1: a map with `job` and `stages` is needed here, not a list");
  CHECK(problems("job: x") == "job.yaml:1:1: the key 'stages' is missing");
  CHECK(problems("job: x\nstages: {}") == "job.yaml:2:9 (stages): a job needs at least one stage");
  CHECK(problems("job: [x]\nstages: 3").find("(job): text is needed here, not a list\n") != std::string::npos);
  CHECK(problems(with_stage("    with: [1]\n")).find("a map of the method's arguments is needed here, not a list") !=
        std::string::npos);
  CHECK(problems(with_stage("    foreach: [1, 2]\n"))
            .find("an expression is needed here, not a list; write it as ${ ... }") != std::string::npos);
  CHECK(problems(with_stage("    when: yes\n")).find("an expression is needed here, not text") != std::string::npos);
  CHECK(problems(with_stage("    retry_safe: yes\n")).find("true or false is needed here, not text") !=
        std::string::npos);
  CHECK(problems(with_stage("    limits: {a: 0}\n")).find("(stages.one.limits.a): a number from 1 to") !=
        std::string::npos);
  CHECK(problems(with_stage("    limits: {a: 1.5}\n")).find("a whole number is needed here") != std::string::npos);
  CHECK(problems(with_stage("    emit: {rows: []}\n")).find("to is missing") != std::string::npos);
  CHECK(problems(with_stage("    with: {\"${x}\": 1}\n")).find("a key cannot be an expression") != std::string::npos);
}

TEST_CASE("a syntax error in an expression is told at its line and column") {
  CHECK(problems(with_stage("    when: ${ params.a + * 2 }\n"))
            .starts_with("job.yaml:5:25 (stages.one.when): the expression"));
  CHECK(problems(with_stage("    with: {a: \"x ${ 1 } ${ 2 2 } y\"}\n"))
            .starts_with("job.yaml:5:30 (stages.one.with.a)"));
  CHECK(problems(with_stage("    with:\n      a: |\n        text ${ 1 }\n        and ${ {1,\n        2 3} }\n"))
            .starts_with("job.yaml:9:11 (stages.one.with.a)"));
  CHECK(problems(with_stage("    with:\n      a: >-\n        ${ 1\n           + ) }\n"))
            .starts_with("job.yaml:8:14 (stages.one.with.a)"));
  CHECK(
      problems(with_stage("    when: ${ 1\n")).find("job.yaml:5:13 (stages.one.when): a ${ has no } that closes it") !=
      std::string::npos);
  CHECK(problems(with_stage("    when: ${ }\n")).find("an expression is empty") != std::string::npos);
}

TEST_CASE("names that an expression cannot see are refused") {
  const std::string top = "params: {origin: string}\n";
  CHECK(problems(with_stage("    when: ${ params.orign == 1 }\n", top))
            .find("there is no parameter 'orign'; did you mean 'origin'?") != std::string::npos);
  CHECK(problems(with_stage("    when: ${ parms.origin == 1 }\n", top))
            .find("unknown name 'parms'; did you mean 'params'?") != std::string::npos);
  CHECK(problems(with_stage("    when: ${ stages.two }\n", top)).find("there is no stage 'two'") != std::string::npos);
  CHECK(problems(with_stage("    with: {a: \"${ item }\"}\n", top))
            .find("'item' is only known to the items of a foreach") != std::string::npos);
  CHECK(problems(with_stage("    foreach: ${ {1} }\n    when: ${ item }\n", top)).find("'item' is only known") !=
        std::string::npos);
  CHECK(problems(with_stage("    with: {a: \"${ output }\"}\n", top))
            .find("'output' is only known in `output` and `emit`") != std::string::npos);
  CHECK(problems(with_stage("    with: {a: \"${ stages.one }\"}\n", top)).find("the stage reads its own output") !=
        std::string::npos);
  CHECK(problems(with_stage("    with: {a: \"${ stages[params.origin] }\"}\n", top)).find("name them in `needs`") !=
        std::string::npos);
  CHECK(problems(with_stage("", top + "checks: [\"${ stages.one }\"]\n")).find("'stages' is not known here") !=
        std::string::npos);
  CHECK(problems(with_stage("    with: {a: \"${ run.nr }\"}\n", top)).find("there is no member of run 'nr'") !=
        std::string::npos);
  CHECK(problems(with_stage("    foreach: ${ {1} }\n    with: {a: \"${ item + index }\", b: \"${ run.id }\"}\n    "
                            "output: ${ {item, output} }\n",
                            top))
            .empty());
}

TEST_CASE("a stage needs what its expressions read") {
  const model::Job job = parse(
      "job: x\nstages:\n  c:\n    needs: [b, b]\n    uses: u.m\n    with: {a: \"${ stages.a.x + stages.b }\"}\n  a: "
      "{uses: u.m}\n  b: {uses: u.m}\n",
      "f");
  CHECK(job.stages[0].needs == std::vector<std::string>{"b", "a"});
}

TEST_CASE("needs that are unknown or go in a circle are refused") {
  CHECK(problems(with_stage("    needs: [tow]\n  two: {uses: a.b}\n")) ==
        "job.yaml:5:13 (stages.one.needs[0]): needs the unknown stage 'tow'; did you mean 'two'?");
  CHECK(problems("job: x\nstages:\n  a: {uses: u.m, needs: [c]}\n  b: {uses: u.m, needs: a}\n  c: {uses: u.m, with: "
                 "{x: \"${ stages.b }\"}}\n")
            .find("stages need each other: a -> c -> b -> a") != std::string::npos);
  CHECK(problems("job: x\nstages:\n  a: {uses: u.m, needs: [a]}\n").find("stages need each other: a -> a") !=
        std::string::npos);
}

TEST_CASE("parameters are checked where the file declares them") {
  CHECK(problems(with_stage("", "params: {a: sting}\n"))
            .find("job.yaml:2:13 (params.a): a JSON Schema or the name of a type is needed here, not 'sting'; did you "
                  "mean 'string'?") != std::string::npos);
  CHECK(problems(with_stage("", "params: {a: {type: strin}}\n")).find("unknown type 'strin'; did you mean 'string'?") !=
        std::string::npos);
  CHECK(problems(with_stage("", "params: {a: {type: array, minItem: 1}}\n"))
            .find("unknown key 'minItem'; did you mean 'minItems'?") != std::string::npos);
  CHECK(problems(with_stage("", "params: {a: {$ref: nope}}\n")).find("there is no type 'nope' in types") !=
        std::string::npos);
  CHECK(problems(with_stage("", "params: {a: {$ref: \"http://x/y\"}}\n")).find("there is no type 'http://x/y'") !=
        std::string::npos);
  CHECK(problems(with_stage("", "params: {a: {type: string, pattern: \"[\"}}\n"))
            .find("(params.a): the schema is wrong: the pattern [ is no regular expression") != std::string::npos);
  CHECK(problems(with_stage("", "params: {a: {type: integer, default: x}}\n"))
            .find("(params.a): the default does not fit: must be a whole number, not text") != std::string::npos);
  CHECK(problems(with_stage("", "types: {a: {$ref: b}, b: {$ref: a}}\nparams: {x: {$ref: a}}\n"))
            .find("refers to itself") != std::string::npos);
  CHECK(problems(with_stage("", "types: {a: {type: object, properties: {next: {$ref: a}}}}\nparams: {x: {$ref: a}}\n"))
            .empty());
  CHECK(problems(with_stage("", "params: {a: {type: array, minItems: -1}}\n")).find("params") != std::string::npos);
}

TEST_CASE("a job of the largest size is read in a moment") {
  std::string text = "job: big\nstages:\n";
  for (int i = 0; i < 1000; ++i) {
    text += "  s" + std::to_string(i) + ":\n    uses: u.m\n    with:\n";
    if (i > 0) text += "      before: ${ stages.s" + std::to_string(i - 1) + " }\n";
    for (int j = 0; j < 20; ++j)
      text += "      a" + std::to_string(j) + ": \"${ run.id + " + std::to_string(j) + " } and some more text\"\n";
  }
  const auto start = base::thread_cpu_time();
  const model::Job job = parse(text, "big.yaml");
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(base::thread_cpu_time() - start);
  WARN("a job of " << job.stages.size() << " stages and " << text.size() << " bytes took " << took.count() << " ms");
  CHECK(took < std::chrono::seconds(20));
}

TEST_CASE("a job has a bounded number of stages") {
  std::string text = "job: many\nstages:\n";
  for (int i = 0; i < 1001; ++i) text += "  s" + std::to_string(i) + ": {uses: u.m}\n";
  CHECK(problems(text).find("at most 1000 stages") != std::string::npos);
}

TEST_CASE("a job's name that is too long is told so, and a format that nobody checks is refused") {
  CHECK(problems("job: " + std::string(5000, 'a') + "\nstages: {a: {uses: u.m}}\n") ==
        "job.yaml:1:6 (job): '" + std::string(40, 'a') +
            "...' is too long for a job's name: it has 5000 bytes; use at most 100");
  CHECK(
      problems(with_stage("", "params: {day: {type: string, format: dat}}\n")) ==
      "job.yaml:2:38 (params.day.format): 'dat' is unknown; one of date, date-time, email, uri is needed here; did you "
      "mean 'date'?");
}
