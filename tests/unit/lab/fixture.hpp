#pragma once
#include <fstream>
#include <string>

#include "base/paths.hpp"
#include "lab/tester.hpp"
#include "support/temp_dir.hpp"

namespace godwit::lab {

// Files in a folder, and a tester of what stands there. The plugins are those of this build.
class Bench {
 public:
  explicit Bench(std::string job, std::string tests) {
    write("x.yaml", job);
    write("x.test.yaml", tests);
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ / name, std::ios::binary) << text;
  }

  std::vector<TestResult> run(Tester::Options options = {}) const {
    return run(std::move(options), dir_ / "x.test.yaml");
  }
  std::vector<TestResult> run(Tester::Options options, const std::filesystem::path& file) const {
    base::Surroundings surroundings;
    surroundings.program = std::string(GODWIT_BINARY_DIR) + "/bin/godwit-lab";
    write("none.yaml", "{}");
    const auto settings = config::read_settings({"--config", (dir_ / "none.yaml").string()}, surroundings).settings;
    return Tester(settings, std::move(options)).run(file);
  }
  std::filesystem::path path(const std::string& name) const { return dir_ / name; }
  // What is wrong with the first test, in lines; "" when it passes.
  std::string problems(Tester::Options options = {}) const {
    const auto results = run(std::move(options));
    std::string text;
    for (const auto& problem : results.at(0).problems) text += problem + "\n";
    return text;
  }

 private:
  support::TempDir dir_;
};

}  // namespace godwit::lab
