#pragma once
#include <string>
#include <vector>

#include "base/json.hpp"
#include "lab/tester.hpp"

namespace godwit::lab {

// Results for people: one line for each test, and what is wrong below those that failed.
std::string report_text(const std::vector<TestResult>& results, bool color, bool quiet);
// For programs: [{"file","job","test","passed","problems","took_us","wall_ms","crashes","unblocked"}].
json::array report_json(const std::vector<TestResult>& results);
// For continuous integration: JUnit's XML.
std::string report_junit(const std::vector<TestResult>& results);

}  // namespace godwit::lab
