#pragma once
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "config/settings.hpp"
#include "expression/language.hpp"
#include "host_pool/plugin_catalog.hpp"
#include "lab/real_calls.hpp"
#include "lab/test_file.hpp"

namespace godwit::lab {

// How one test of one form of its job went.
struct TestResult {
  std::string file;  // of the test
  std::string job;   // file of the job
  std::string test;
  std::vector<std::string> problems;  // empty when it passed
  base::Duration took{};              // of the job's time
  std::chrono::milliseconds wall{};
  std::size_t crashes = 0;    // that it came through
  std::size_t unblocked = 0;  // in how many of them a call of unknown outcome waited for a person, as it must
};

// Runs tests: each twice, with different seeds, which must make no difference; on demand with a crash before and after
// every group of facts that is stored.
class Tester {
 public:
  struct Options {
    bool crash_sweep = false;
    std::string only;  // a part of the test's name; empty for all
  };
  Tester(const config::Settings& settings, Options options);

  // Throws what read_tests() throws.
  std::vector<TestResult> run(const std::filesystem::path& file);

 private:
  struct Form;
  // `other` is another form of the same job, which was tested before; null for the first.
  TestResult run_test(const TestFile& file, const Test& test, Form& form, const Form* other);
  void compare(const Test& test, const Form& form, const Form& other, TestResult& result);
  void run_twice(const Test& test, Form& form, TestResult& result);
  void sweep(const Test& test, Form& form, TestResult& result);

  const config::Settings& settings_;
  Options options_;
  host_pool::PluginCatalog catalog_;
  RealCalls real_;
  expression::Language language_;
};

}  // namespace godwit::lab
