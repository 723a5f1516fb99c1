// Goal: what scripts/README.md and README.md show works. Method: their blocks of YAML are written to files and run: a
// job, and the tests that follow it.
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

#include "fixture.hpp"
#include "jobfile/job_parser.hpp"
#include "lab/test_reader.hpp"
#include "script/execution.hpp"

using namespace godwit;

namespace {

struct Block {
  std::string language;
  std::string text;
};

// The blocks that have a language, in their order.
std::vector<Block> blocks(const std::string& text) {
  std::vector<Block> found;
  const std::string fence = "\n```";
  for (auto at = text.find(fence); at != std::string::npos; at = text.find(fence, at + 1)) {
    const auto begin = text.find('\n', at + 1) + 1;
    const auto end = text.find(fence, begin - 1) + 1;
    found.push_back({text.substr(at + fence.size(), begin - 1 - at - fence.size()), text.substr(begin, end - begin)});
    at = end;
  }
  return found;
}

}  // namespace

TEST_CASE("the jobs of the manual are accepted and pass their tests") {
  const std::string text = lab::read_file(std::string(GODWIT_SOURCE_DIR) + "/scripts/README.md");
  Block job;
  int tested = 0;
  int scripts = 0;
  for (const auto& block : blocks(text)) {
    INFO(block.text);
    if (block.language == "lua") {
      job = block;
      const model::ScriptBundle bundle{.file = "x.lua", .text = job.text, .modules = {}, .header = {}};
      CHECK_NOTHROW(script::Execution(bundle, {}).header());
      ++scripts;
    } else if (block.language == "yaml" && block.text.starts_with("job:")) {
      job = block;
      CHECK_NOTHROW(jobfile::parse(job.text, "README.md"));
    } else if (block.language == "yaml") {
      REQUIRE_FALSE(job.text.empty());
      const lab::Bench bench(job.language == "yaml" ? job.text : "", block.text);
      bench.write("y." + job.language, job.text);
      bench.write("y.test.yaml", block.text);
      for (const auto& result : bench.run({.crash_sweep = true}, bench.path("y.test.yaml"))) {
        INFO(result.test);
        CHECK(result.problems == std::vector<std::string>());
        ++tested;
      }
    }
  }
  CHECK(tested >= 3);
  CHECK(scripts >= 2);
}

TEST_CASE("the job of the first page runs as it is printed") {
  const std::string text = lab::read_file(std::string(GODWIT_SOURCE_DIR) + "/README.md");
  const auto shown = blocks(text);
  const auto job =
      std::find_if(shown.begin(), shown.end(), [](const Block& block) { return block.language == "yaml"; });
  REQUIRE(job != shown.end());
  // What stands at the prompt of the page is given here.
  const lab::Bench bench(job->text, R"(
mocks:
  flight-search/1.search: {output: {offers: []}, takes: 1s}
tests:
  ten cities:
    params: {from: LIS, cities: [VIE, OSL, ROM, PAR, BER, FRA, MAD, OPO, BRU, AMS], day: "2027-03-01"}
    expect: {state: succeeded, calls: {flight-search/1.search: 10}, took: {least: 3s, most: 4s}}
)");
  CHECK(bench.problems() == "");
}

TEST_CASE("the manual's job with schedules gives its program text") {
  const std::string text = lab::read_file(std::string(GODWIT_SOURCE_DIR) + "/scripts/README.md");
  const auto shown = blocks(text);
  const auto job = std::find_if(shown.begin(), shown.end(),
                                [](const Block& block) { return block.text.starts_with("job: nightly\n"); });
  REQUIRE(job != shown.end());
  // Arguments are held against the plugin's schema, mocked or not.
  const lab::Bench bench(job->text, R"(
mocks: {shell.run: {output: {exit_code: 0}}}
tests: {t: {expect: {calls: {shell.run: [{argv: [make-report, "--depth=1"]}]}}}}
)");
  CHECK(bench.problems() == "");
}
