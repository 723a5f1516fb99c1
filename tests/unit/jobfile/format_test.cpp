// Goal: editors are told the format that is parsed. Method: the shipped schema is what the readers' tables give; it
// accepts the shipped jobs and refuses what the parser refuses.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/pretty.hpp"
#include "config/yaml_document.hpp"
#include "jobfile/job_parser.hpp"
#include "jobfile/schema.hpp"

using namespace godwit;
namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<base::Error::Problem> violations(const std::string& yaml) {
  const config::YamlDocument document(yaml, "job.yaml");
  config::Problems problems;
  const auto value = document.to_json(document.root(), {}, problems);
  REQUIRE(problems.empty());
  return jobfile::Schema(jobfile::job_format()).violations(value);
}

}  // namespace

TEST_CASE("the shipped JSON Schema is that of the parser") {
  INFO("godwit job schema > sdk/job.schema.json");
  CHECK(read(fs::path(GODWIT_SOURCE_DIR) / "sdk" / "job.schema.json") == base::pretty(jobfile::job_format()) + "\n");
}

TEST_CASE("the JSON Schema accepts the shipped jobs") {
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(GODWIT_SOURCE_DIR) / "scripts")) {
    if (entry.path().extension() != ".yaml" || entry.path().stem().extension() == ".test") continue;
    for (const auto& problem : violations(read(entry.path()))) FAIL(entry.path() << ": " << problem.text());
  }
}

TEST_CASE("the JSON Schema refuses what has no meaning") {
  const std::pair<const char*, const char*> cases[] = {
      {"{job: a, stages: {s: {uses: a.b, tiemout: 3s}}}", "unknown name 'tiemout'; did you mean 'timeout'?"},
      {"{job: a, stages: {s: {uses: a.b, retry: {attempts: 0}}}}", "retry"},
      {"{job: a, stages: {s: {uses: a.b, on_item_error: ignore}}}", "must be one of [\"fail\",\"skip\",\"record\"]"},
      {"{job: a, stages: {s: {uses: a.b, limits: {x: many}}}}", "limits.x"},
      {"{job: a}", "stages: is missing"},
      {"{job: a, stages: {s: {uses: a.b, sleep: 1h}}}", "stages.s"},
      {"{job: a, stages: {s: {needs: [t]}, t: {uses: a.b}}}", "stages.s"},
      {"{job: a, stages: {s: {sleep: 1h, retry: {attempts: 2}}}}", "stages.s"},
  };
  for (const auto& [yaml, said] : cases) {
    std::string all;
    for (const auto& problem : violations(yaml)) all += problem.text() + "\n";
    INFO(yaml);
    CHECK_THAT(all, Catch::Contains(said));
  }
}
