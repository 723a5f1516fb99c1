#include "check/process_facts.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
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

std::size_t child_count() {
  std::error_code error;
  std::size_t count = 0;
  for (std::filesystem::directory_iterator task("/proc/self/task", error), end; !error && task != end;
       task.increment(error)) {
    std::ifstream file(task->path() / "children");
    for (long child = 0; file >> child;) ++count;
  }
  return count;
}

std::uint64_t handled_signals() {
  std::ifstream file("/proc/self/status");
  std::uint64_t handled = 0;
  for (std::string line; std::getline(file, line);)
    if (line.rfind("SigIgn:", 0) == 0 || line.rfind("SigCgt:", 0) == 0)
      handled |= std::strtoull(line.c_str() + sizeof "SigIgn:" - 1, nullptr, 16);
  return handled;
}

}  // namespace

std::vector<std::string> fatal_signals(std::uint64_t signals) {
  std::vector<std::string> names;
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGXCPU, SIGTERM})
    if ((signals >> (number - 1) & 1) != 0) names.push_back(std::string("SIG") + ::sigabbrev_np(number));
  return names;
}

ProcessFacts process_facts() {
  ProcessFacts facts;
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  facts.rss = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  facts.fds = entries("/proc/self/fd");
  facts.threads = entries("/proc/self/task");
  facts.children = child_count();
  facts.handled = handled_signals();
  return facts;
}

}  // namespace godwit::check
