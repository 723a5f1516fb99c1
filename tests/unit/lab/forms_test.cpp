// Goal: every shipped job does the same in YAML and in Lua, whatever crashes. Method: each is converted, and both forms
// go through its tests, with the crash sweep and their journals held against each other.
#include <catch2/catch.hpp>

#include <filesystem>

#include "fixture.hpp"
#include "jobfile/lua_writer.hpp"
#include "lab/test_reader.hpp"

using namespace godwit;
namespace fs = std::filesystem;

TEST_CASE("each shipped job has equal journals in YAML and in Lua, and both come through every crash") {
  const support::TempDir dir;
  int tests = 0;
  for (const char* folder : {"examples", "flights"})
    for (const auto& entry : fs::directory_iterator(fs::path(GODWIT_SOURCE_DIR) / "scripts" / folder)) {
      const auto to = dir / entry.path().filename().string();
      if (entry.is_regular_file()) fs::copy_file(entry.path(), to, fs::copy_options::overwrite_existing);
    }
  for (const auto& entry : fs::directory_iterator(dir.path())) {
    const auto path = entry.path();
    if (path.extension() != ".yaml" || path.stem().extension() == ".test") continue;
    std::ofstream(fs::path(path).replace_extension(".lua")) << jobfile::to_lua(lab::read_file(path), path.string());
  }
  lab::Bench bench("job: a\nstages: {one: {uses: a.b}}\n", "");
  for (const auto& entry : fs::directory_iterator(dir.path())) {
    if (!entry.path().string().ends_with(".test.yaml")) continue;
    int forms = 0;
    for (const auto& result : bench.run({.crash_sweep = true}, entry.path())) {
      INFO(result.job << ": " << result.test);
      CHECK(result.problems == std::vector<std::string>());
      forms += result.job.ends_with(".lua") ? 1 : 0;
      ++tests;
    }
    INFO(entry.path());
    CHECK(forms > 0);
  }
  CHECK(tests >= 60);
}
