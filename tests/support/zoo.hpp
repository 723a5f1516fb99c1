#pragma once
#include <string>
#include <vector>

namespace godwit::support {

// One bad plugin of tests/plugins/zoo and what must become of a call to it.
struct Animal {
  const char* name;
  const char* expected;         // part of the call's outcome: its output, or code and message of its failure
  const char* settings = "{}";  // its entry in `plugins:`
  int timeout_ms = 0;           // of the call
  const char* input = "null";   // JSON
};
const std::vector<Animal>& zoo();

}  // namespace godwit::support
