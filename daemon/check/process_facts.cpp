#include "check/process_facts.hpp"

#include <sys/wait.h>
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

std::vector<pid_t> children() {
  std::error_code error;
  std::vector<pid_t> found;
  for (std::filesystem::directory_iterator task("/proc/self/task", error), end; !error && task != end;
       task.increment(error)) {
    std::ifstream file(task->path() / "children");
    for (pid_t child = 0; file >> child;) found.push_back(child);
  }
  return found;
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

std::size_t end_children() {
  std::size_t alive = 0;
  for (auto left = children(); !left.empty(); left = children()) {
    for (const pid_t child : left) {
      if (::waitpid(child, nullptr, WNOHANG) != 0) continue;
      ++alive;
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
  }
  return alive;
}

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
  facts.children = children().size();
  facts.handled = handled_signals();
  return facts;
}

}  // namespace godwit::check
