#pragma once
#include <fstream>

namespace godwit::support {

// The memory of this process that is really there, in bytes.
inline std::size_t resident() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0, pages = 0;
  file >> total >> pages;
  return pages * 4096;
}

}  // namespace godwit::support
