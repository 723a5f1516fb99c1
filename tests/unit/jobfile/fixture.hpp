#pragma once
#include <string>

#include "jobfile/job_parser.hpp"

namespace godwit::jobfile::test {

// What parse() refuses a job with, one problem per line; empty when it accepts it.
inline std::string problems(const std::string& text) {
  try {
    parse(text, "job.yaml");
    return {};
  } catch (const base::Error& error) {
    return error.what();
  }
}

// A job of one stage, with more lines at the top level before it.
inline std::string with_stage(const std::string& keys, const std::string& top = {}) {
  return "job: test\n" + top + "stages:\n  one:\n    uses: core.sleep\n" + keys;
}

}  // namespace godwit::jobfile::test
