// Goal: every key that says what a stage does, or how a job is run, is read as it is meant, and refused with its place
// when it is not.
#include <catch2/catch.hpp>

#include "unit/jobfile/fixture.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using jobfile::parse;
using jobfile::test::problems;

namespace {

std::string stage(const std::string& keys) {
  return "job: t\nstages:\n  one: {" + keys + "}\n";
}

}  // namespace

TEST_CASE("a stage can wait, run another job, or a statement") {
  const auto job = parse(R"(job: kinds
stages:
  nap: {sleep: 48h}
  until: {sleep: "${ params.x }"}
  go: {wait_signal: {name: go, timeout: 1h, otherwise: go_on}}
  short: {wait_signal: go}
  gate: {approve: {text: "publish?", who: [ann, "role:admin"], within: 24h, remind: 6h}}
  child: {run: nightly, with: {n: 1}, timeout: 2h}
  rows: {uses: sql.exec, with: {statement: "select $1", parameters: [1]}}
params: {x: string}
)",
                         "t.yaml");
  const auto& stages = job.stages;
  CHECK(stages[0].kind == model::StageKind::sleep);
  CHECK(stages[0].wait.what.value == base::json::value("48h"));
  CHECK(stages[1].wait.what.expressions.contains(""));
  CHECK(stages[2].kind == model::StageKind::signal);
  CHECK(stages[2].timeout == 1h);
  CHECK(stages[2].wait.goes_on);
  CHECK_FALSE(stages[3].wait.goes_on);
  CHECK(stages[4].kind == model::StageKind::approval);
  CHECK(stages[4].wait.who == std::vector<std::string>{"ann", "role:admin"});
  CHECK(stages[4].wait.reminder == 6h);
  CHECK(stages[5].kind == model::StageKind::child);
  CHECK(stages[5].uses == "nightly");
  CHECK(stages[6].kind == model::StageKind::statement);
}

TEST_CASE("what does not go together is refused where it stands") {
  CHECK(problems(stage("when: '${ true }'")).find("nothing says what it does; uses calls a plugin") !=
        std::string::npos);
  CHECK(problems(stage("uses: a.b, sleep: 1h")) ==
        "job.yaml:3:27 (stages.one.sleep): a stage does one thing, and `uses` says already what");
  CHECK(problems(stage("sleep: soon")).find("'soon' is neither a duration nor an instant") != std::string::npos);
  CHECK(problems(stage("sleep: 1h, with: {a: 1}")).find("with does not go with `sleep`") != std::string::npos);
  CHECK(problems(stage("wait_signal: go, retry: {attempts: 2}")).find("retry does not go with `wait_signal`") !=
        std::string::npos);
  CHECK(problems(stage("wait_signal: {timeout: 1h}")).find("name is missing") != std::string::npos);
  CHECK(problems(stage("approve: {whom: [x]}")).find("did you mean 'who'?") != std::string::npos);
  CHECK(problems(stage("approve: {who: ['role:admn']}")).find("there is no role 'admn'; did you mean 'admin'?") !=
        std::string::npos);
  CHECK(problems(stage("approve: {otherwise: gon}")).find("one of fail, go_on is needed here; did you mean") !=
        std::string::npos);
  CHECK(problems(stage("uses: sql.exec, with: {sql: x}")).find("sql.exec needs `with: {statement:") !=
        std::string::npos);
  CHECK(
      problems(stage("uses: sql.exec, with: {statement: x}, emit: {to: a, rows: []}")).find("emit does not go with") !=
      std::string::npos);
  CHECK(problems(stage("stages: {a: {uses: a.b}}")).find("has `stages` and no foreach") != std::string::npos);
}

TEST_CASE("the stages of an item see the item, their siblings and the stages before theirs") {
  const std::string text = R"(job: nested
stages:
  base: {uses: a.b}
  pages:
    foreach: "${ {1, 2} }"
    stages:
      fetch: {uses: a.b, with: {v: "${ item }", base: "${ stages.base }"}}
      store: {uses: a.b, with: {v: "${ stages.fetch }"}}
    output: "${ stages.store }"
  last: {uses: a.b, with: {v: "${ stages.pages }"}}
)";
  const auto job = parse(text, "t.yaml");
  REQUIRE(job.stages[1].stages.size() == 2);
  CHECK(job.stages[1].needs == std::vector<std::string>{"base"});
  CHECK(job.stages[1].stages[1].needs == std::vector<std::string>{"fetch"});
  CHECK(job.stages[1].stages[0].needs.empty());
  CHECK(job.stages[2].needs == std::vector<std::string>{"pages"});
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return problems(changed);
  };
  CHECK(with("${ stages.pages }", "${ stages.fetch }").find("there is no stage 'fetch'") != std::string::npos);
  CHECK(with("v: \"${ stages.fetch }\"", "v: \"${ stages.fetsh }\"").find("did you mean 'fetch'?") !=
        std::string::npos);
  CHECK(with("      store:", "      base:").find("another stage of the job is called 'base' too") != std::string::npos);
  CHECK(with("base: \"${ stages.base }\"", "base: \"${ stages.store }\"")
            .find("stages need each other: fetch -> store") != std::string::npos);
}

TEST_CASE("a foreach can grow") {
  const auto job = parse(
      "job: g\nstages:\n  s: {foreach: {items: '${ {1} }', grow: '${ output.links }', key: '${ item.url }', depth: 3, "
      "max: "
      "50}, uses: a.b}\n",
      "t.yaml");
  REQUIRE(job.stages[0].grow);
  CHECK(job.stages[0].grow->depth == 3);
  CHECK(job.stages[0].grow->max == 50);
  CHECK(job.stages[0].grow->key);
  CHECK(problems(stage("uses: a.b, foreach: {grow: '${ output }'}")).find("items is missing") != std::string::npos);
  CHECK(problems(stage("uses: a.b, foreach: {items: '${ {} }', depth: 3}")).find("depth needs a `grow`") !=
        std::string::npos);
}

TEST_CASE("what a job says for all its stages") {
  const auto job = parse(R"(job: all
defaults: {retry: {attempts: 4}, timeout: 9s, limits: {net: 1}}
limits: {net: 2}
env: {A: "1", B: 2}
priority: 5
queue: slow
labels: {team: web}
retain: 30d
unique: {key: "${ params.t }", otherwise: existing}
params: {t: string}
stages:
  a: {uses: x.y, env: {B: "3"}}
  b: {uses: x.y, retry: {attempts: 1}, timeout: 1s, limits: {}}
  c: {sleep: 1h}
on_failure:
  tell: {uses: x.y, with: {why: "${ outcome.error.message }", a: "${ stages.a }"}}
)",
                         "t.yaml");
  CHECK(job.stages[0].retry.attempts == 4);
  CHECK(job.stages[0].timeout == 9s);
  REQUIRE(job.stages[0].limits.size() == 1);
  CHECK(job.stages[0].limits.at("net").count == 1);
  CHECK(base::json::serialize(job.stages[0].env.value) == R"({"B":"3","A":"1"})");
  CHECK(job.stages[1].retry.attempts == 1);
  CHECK(job.stages[1].timeout == 1s);
  CHECK(job.stages[1].limits.empty());
  CHECK_FALSE(job.stages[2].timeout);
  CHECK(job.priority == 5);
  CHECK(job.queue == "slow");
  CHECK(job.retain == 24h * 30);
  CHECK_FALSE(job.unique->refuses);
  CHECK(job.endings[0].size() == 1);
  CHECK(problems("job: t\npriority: 500\nstages:\n  s: {uses: a.b}\n").find("a number from -100 to 100") !=
        std::string::npos);
  CHECK(problems("job: t\nstages:\n  s: {uses: a.b, with: {v: '${ outcome.state }'}}\n")
            .find("'outcome' is only known in on_failure") != std::string::npos);
  CHECK(problems("job: t\nenv: {'a-b': x}\nstages:\n  s: {uses: a.b}\n").find("cannot be the name of a variable") !=
        std::string::npos);
}

TEST_CASE("a stage takes keys, amounts and estimates of limits") {
  const auto job = jobfile::parse(R"(
job: t
params: {tenant: string, text: string}
limits: {"tenant:*": 2, tokens: 1000/m}
stages:
  each:
    foreach: "${ range(1, 3) }"
    uses: x.y
    limits:
      "tenant:${ params.tenant }": 2
      "item:${ item }": "${ item * 2 }"
      tokens: {estimate: "${ len(params.text) }"}
      plain: {estimate: 500}
)",
                                  "t.yaml");
  const auto& limits = job.stages[0].limits;
  CHECK(limits.at("tenant:${ params.tenant }").key);
  CHECK(limits.at("tenant:${ params.tenant }").count == 2);
  CHECK(limits.at("item:${ item }").amount->source == " item * 2 ");
  CHECK(limits.at("tokens").estimate);
  CHECK(limits.at("plain").count == 500);
  const auto bad = [](const std::string& use) {
    return problems("job: t\nstages:\n  s: {uses: a.b, limits: " + use + "}\n");
  };
  CHECK_THAT(bad("{'${ run.id }': 1}"), Catch::Contains("must begin with a plain name and a colon"));
  CHECK_THAT(bad("{'a:${ params.x': 1}"), Catch::Contains("has no } that closes it"));
  CHECK_THAT(bad("{'a:${ nothing.x }': 1}"), Catch::Contains("nothing"));
  CHECK_THAT(bad("{a: 0}"), Catch::Contains("a number from 1"));
  CHECK_THAT(bad("{a: {}}"), Catch::Contains("estimate is missing"));
  CHECK_THAT(bad("{a: {estimate: -1}}"), Catch::Contains("a number from 1"));
  CHECK_THAT(bad("{a: {estimat: 1}}"), Catch::Contains("did you mean"));
  CHECK_THAT(bad("{a: [1]}"), Catch::Contains("a number from 1"));
}
