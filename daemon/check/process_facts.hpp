#pragma once
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace godwit::check {

// What this process holds now.
struct ProcessFacts {
  std::size_t rss = 0;  // bytes
  std::size_t fds = 0;
  std::size_t threads = 0;
  std::size_t children = 0;
  std::uint64_t handled = 0;  // signals that are caught or ignored: bit n - 1 is signal n
};
ProcessFacts process_facts();
// How many processes live that this one started, or that were started by those; `but` is not counted.
std::size_t living_descendants(pid_t but);
// Ends the children of this process, and theirs as they become its own.
void end_children();
// Their names, of what a process that crashes or runs out of time is told with.
std::vector<std::string> fatal_signals(std::uint64_t signals);

}  // namespace godwit::check
