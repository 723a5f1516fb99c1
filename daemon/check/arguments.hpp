#pragma once
#include <string>
#include <vector>

#include "check/session.hpp"

namespace godwit::check {

// The command line of godwit-check, which `godwit plugin check` writes.
struct Arguments {
  CheckOptions options;
  std::vector<std::string> words;  // that give the same options again
  std::vector<std::string> only;   // names of checks, or their beginnings: "life"; empty for all
  bool in_process = false;
  bool list = false;
  std::string json;  // files for reports; "-" is standard output
  std::string junit;
  std::string child;  // the check to make as a child
};

// Throws base::Error(usage) for a wrong command line, base::Error for a file that cannot be read.
Arguments read_arguments(const std::vector<std::string>& words);

}  // namespace godwit::check
