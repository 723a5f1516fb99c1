#pragma once
#include <sys/types.h>

#include <string>

#include "support/file_text.hpp"

namespace godwit::support {

// Whether the process is there and has not ended: one that nobody has reaped yet still has a number, for seconds where
// init is slow.
inline bool lives(pid_t pid) {
  const std::string stat = file_text("/proc/" + std::to_string(pid) + "/stat");
  const auto name_end = stat.rfind(')');
  return name_end != std::string::npos && stat.compare(name_end + 2, 1, "Z") != 0;
}

}  // namespace godwit::support
