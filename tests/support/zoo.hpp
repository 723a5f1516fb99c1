#pragma once
#include <string>
#include <vector>

#include "support/temp_dir.hpp"

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

// The animals under a path of its own: their processes are told from those of other tests by it.
class ZooFolder {
 public:
  ZooFolder();
  std::string path() const { return (folder_ / "zoo").string(); }
  // The plugins that are served by a process now, or by one that such a process has started.
  std::vector<std::string> served() const;

 private:
  TempDir folder_;
};

}  // namespace godwit::support
