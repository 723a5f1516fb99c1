// Goal: what a script says of itself is checked like YAML, and problems name lines of the script. Method: bundles with
// their headers, as a script host gives them.
#include <catch2/catch.hpp>

#include "jobfile/job_parser.hpp"
#include "model/script_bundle.hpp"

using namespace godwit;
namespace json = base::json;

namespace {

model::ScriptBundle bundle(const std::string& text, const std::string& header) {
  return {"trip.lua", text, {}, base::parse_json(header).as_object()};
}

std::string problems(const model::ScriptBundle& script) {
  try {
    jobfile::parse(script.to_text(), "jobs/trip.lua");
  } catch (const base::Error& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("a script's header becomes a job") {
  const auto script = bundle("return gw.job {}", R"({"name":"trip","description":"A trip","timeout":"2h",
    "params":{"from":"string","days":"date[]","limit":"integer?"},"limits":{"searches":4},
    "retry":{"attempts":3},"budget":{"memory":"64MiB","cpu":"500ms","steps":10}})");
  const model::Job job = jobfile::parse(script.to_text(), "jobs/trip.lua");
  CHECK(job.name == "trip");
  CHECK(job.stages.empty());
  REQUIRE(job.script);
  CHECK(job.script->budget.memory == 64u << 20);
  CHECK(job.script->budget.cpu == std::chrono::milliseconds(500));
  CHECK(job.script->step_defaults.at("retry").at("attempts") == 3);
  CHECK(job.limits.at("searches").permits == 4);
  CHECK(json::serialize(job.schema.at("required")) == R"(["days","from"])");
  CHECK(json::serialize(job.params.at("days")) == R"({"type":"array","items":{"type":"string","format":"date"}})");
}

TEST_CASE("problems of a header name the script's lines") {
  const std::string text =
      "local gw = require 'godwit'\nreturn gw.job {\n  name = 'trip',\n  timeout = 'soon',\n  params = {\n"
      "    n = 'intger',\n  },\n  budget = { memory = '1' },\n}\n";
  CHECK_THAT(
      problems(bundle(text, R"({"name":"trip","timeout":"soon","params":{"n":"intger"},"budget":{"memory":"1"}})")),
      Catch::Contains("jobs/trip.lua:4:") && Catch::Contains("jobs/trip.lua:6:") &&
          Catch::Contains("did you mean 'integer'"));
  CHECK_THAT(problems(bundle(text, R"({"budget":{"memory":"1"}})")),
             Catch::Contains("needs a `name`") && Catch::Contains("64MiB"));
  CHECK_THAT(problems(bundle("", R"({"name":"x","stages":{}})")), Catch::Contains("unknown key 'stages'"));
}

TEST_CASE("modules that a script names are collected with it, and theirs with them") {
  const auto read = [](const std::string& path) -> std::optional<std::string> {
    if (path == "lib/a.lua") return "return require 'b'";
    if (path == "b.lua") return "return 1";
    return std::nullopt;
  };
  const auto script =
      model::collect_script("/jobs/x.lua", "local a = require('lib.a') local c = require \"gone\"", read);
  CHECK(script.file == "x.lua");
  CHECK(script.modules.size() == 2);
  CHECK(model::ScriptBundle::parse(script.to_text())->to_text() == script.to_text());
  CHECK_FALSE(model::ScriptBundle::parse("job: x"));
}
