// Goal: habits that a reader relies on hold in every file. Method: look at the text of all sources.
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

const fs::path kSource = GODWIT_SOURCE_DIR;

std::vector<fs::path> sources() {
  std::vector<fs::path> files;
  for (const char* top : {"daemon", "plugins", "sdk", "tests"})
    for (const auto& entry : fs::recursive_directory_iterator(kSource / top)) {
      const auto extension = entry.path().extension();
      if (entry.is_regular_file() && (extension == ".cpp" || extension == ".hpp" || extension == ".h"))
        files.push_back(entry.path());
    }
  return files;
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("headers are guarded by pragma once") {
  for (const auto& file : sources()) {
    if (file.extension() == ".cpp") continue;
    const auto lines = lines_of(file);
    const bool guarded = std::any_of(lines.begin(), lines.end(), [](const auto& line) {
      return line.rfind("#pragma once", 0) == 0 || line.rfind("#ifndef GODWIT_", 0) == 0;
    });
    INFO(file);
    CHECK(guarded);
  }
}

TEST_CASE("no file grows beyond what one noun needs") {
  for (const auto& file : sources()) {
    INFO(file);
    CHECK(lines_of(file).size() <= 800);
  }
}

TEST_CASE("nothing unfinished is marked and left") {
  const std::vector<std::string> markers{std::string("TO") + "DO", std::string("FIX") + "ME",
                                         std::string("HA") + "CK"};
  for (const auto& file : sources()) {
    int number = 0;
    for (const auto& line : lines_of(file)) {
      ++number;
      for (const auto& marker : markers) {
        INFO(file << ":" << number << " has " << marker);
        CHECK(line.find(marker) == std::string::npos);
      }
    }
  }
}
