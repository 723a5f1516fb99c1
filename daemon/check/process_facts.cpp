#include "check/process_facts.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

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

std::size_t living_descendants(pid_t but) {
  struct Process {
    pid_t parent = 0;
    bool alive = false;
  };
  std::map<pid_t, Process> all;
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const pid_t pid = std::atoi(entry->path().filename().c_str());
    std::ifstream file(entry->path() / "stat");
    std::string text;
    if (pid <= 0 || !std::getline(file, text)) continue;
    // The name, in brackets, may hold anything.
    std::istringstream rest(text.substr(std::min(text.rfind(')'), text.size() - 1) + 1));
    char state = 'X';
    auto& process = all[pid];
    rest >> state >> process.parent;
    process.alive = state != 'Z' && state != 'X';
  }
  const auto comes_from_here = [&](pid_t pid) {
    for (std::size_t depth = 0; depth < all.size(); ++depth) {
      const auto found = all.find(pid);
      if (found == all.end()) return false;
      pid = found->second.parent;
      if (pid == ::getpid()) return true;
    }
    return false;
  };
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const auto& entry) {
    return entry.second.alive && entry.first != but && comes_from_here(entry.first);
  }));
}

void end_children() {
  for (auto left = children(); !left.empty(); left = children()) {
    for (const pid_t child : left) {
      if (::waitpid(child, nullptr, WNOHANG) != 0) continue;
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
  }
}

std::vector<std::string> fatal_signals(std::uint64_t signals) {
  std::vector<std::string> names;
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGXCPU})
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
