#include "check/process_facts.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace godwit::check {
namespace {

std::size_t entries(const char* path) {
  std::error_code error;
  std::size_t count = 0;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error))
    ++count;
  return count;
}

}  // namespace

ProcessFacts process_facts() {
  ProcessFacts facts;
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  facts.rss = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  facts.fds = entries("/proc/self/fd");
  facts.threads = entries("/proc/self/task");
  return facts;
}

}  // namespace godwit::check
