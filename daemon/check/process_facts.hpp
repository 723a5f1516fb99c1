#pragma once
#include <cstddef>

namespace godwit::check {

// What this process holds now.
struct ProcessFacts {
  std::size_t rss = 0;  // bytes
  std::size_t fds = 0;
  std::size_t threads = 0;
};
ProcessFacts process_facts();

}  // namespace godwit::check
