#pragma once
#include <string>
#include <vector>

#include "base/json.hpp"

namespace godwit::check {

// An error makes the plugin unfit; a warning is for its author to judge; a note only tells.
enum class Severity { error, warning, note };
std::string_view name(Severity severity);

struct Finding {
  Severity severity = Severity::error;
  std::string what;  // a sentence: what, where, and what to do
};

// How one check ended.
struct Outcome {
  std::string check;    // "life.cancel"
  std::string skipped;  // why, when it was
  std::vector<Finding> findings;
  double seconds = 0;

  bool failed() const;
};

// The outcomes as people, programs and CI servers read them.
std::string text_report(const std::vector<Outcome>& outcomes);
base::json::object json_report(const std::string& plugin, std::uint64_t seed, const std::vector<Outcome>& outcomes);
std::string junit_report(const std::string& plugin, const std::vector<Outcome>& outcomes);

}  // namespace godwit::check
