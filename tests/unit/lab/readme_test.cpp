// Goal: what scripts/README.md shows works. Method: its blocks of YAML are written to files and run: a job, and the
// tests that follow it.
#include <catch2/catch.hpp>
#include <fstream>

#include "fixture.hpp"
#include "jobfile/job_parser.hpp"
#include "lab/test_reader.hpp"

using namespace godwit;

namespace {

// The blocks of a language, in the order of the text.
std::vector<std::string> blocks(const std::string& text, const std::string& language) {
  std::vector<std::string> found;
  const std::string fence = "\n```" + language + "\n";
  for (auto at = text.find(fence); at != std::string::npos; at = text.find(fence, at + 1)) {
    const auto begin = at + fence.size();
    found.push_back(text.substr(begin, text.find("\n```", begin) + 1 - begin));
  }
  return found;
}

}  // namespace

TEST_CASE("the jobs of the manual are accepted and pass their tests") {
  const std::string text = lab::read_file(std::string(GODWIT_SOURCE_DIR) + "/scripts/README.md");
  std::string job;
  int tested = 0;
  for (const auto& block : blocks(text, "yaml")) {
    INFO(block);
    if (block.starts_with("job:")) {
      job = block;
      CHECK_NOTHROW(jobfile::parse(job, "README.md"));
      continue;
    }
    REQUIRE_FALSE(job.empty());
    const lab::Bench bench(job, block);
    for (const auto& result : bench.run({.crash_sweep = true})) {
      INFO(result.test);
      CHECK(result.problems == std::vector<std::string>());
      ++tested;
    }
  }
  CHECK(tested >= 2);
}
