#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/time.hpp"
#include "jobfile/job_parser.hpp"
#include "jobfile/parameters.hpp"

using namespace godwit;
namespace fs = std::filesystem;

namespace {

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// The job file of a case: stored, or written by its script.
std::string job_text(const fs::path& folder) {
  if (!fs::exists(folder / "make")) return read_file(folder / "job.yaml");
  std::FILE* pipe = ::popen(("sh '" + (folder / "make").string() + "'").c_str(), "r");
  REQUIRE(pipe);
  std::string text;
  char buffer[65536];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, got);
  REQUIRE(::pclose(pipe) == 0);
  return text;
}

std::string refusal(const fs::path& folder) {
  const fs::path params = folder / "params.json";
  try {
    const model::Job job = jobfile::parse(job_text(folder), "job.yaml");
    jobfile::check_parameters(
        job, fs::exists(params) ? base::parse_json(read_file(params)).as_object() : base::json::object());
    return {};
  } catch (const base::Error& error) {
    CHECK(error.kind() == base::ErrorKind::refused);
    return error.what();
  }
}

}  // namespace

TEST_CASE("every case of bad input is refused with what it expects") {
  int cases = 0;
  for (const auto& entry : fs::directory_iterator(GODWIT_SOURCE_DIR "/tests/integration/cases/bad_input")) {
    const auto name = entry.path().filename();
    if (!entry.is_directory() || name == "unknown_uses" || name == "wrong_argument") continue;
    ++cases;
    const auto start = base::thread_cpu_time();
    const std::string error = refusal(entry.path());
    CAPTURE(entry.path().filename().string());
    CAPTURE(error);
    CHECK(base::thread_cpu_time() - start < std::chrono::seconds(10));
    CHECK_FALSE(error.empty());
    std::istringstream expected(read_file(entry.path() / "expected"));
    for (std::string line; std::getline(expected, line);) {
      CAPTURE(line);
      CHECK(error.find(line) != std::string::npos);
    }
  }
  CHECK(cases > 40);
}
