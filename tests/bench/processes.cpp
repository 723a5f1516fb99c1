#include "bench/processes.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace godwit::bench {
namespace {

struct Stat {
  pid_t parent = 0;
  double seconds = 0;  // with those of children that were reaped
};

bool read_stat(pid_t pid, Stat& stat) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto close = text.rfind(')');
  if (close == std::string::npos) return false;
  std::istringstream fields(text.substr(close + 2));
  std::vector<std::string> values;
  for (std::string value; fields >> value;) values.push_back(value);
  if (values.size() < 15) return false;
  stat.parent = std::stoi(values[1]);
  double ticks = 0;
  for (int i = 11; i < 15; ++i) ticks += std::stod(values[static_cast<std::size_t>(i)]);
  stat.seconds = ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return true;
}

}  // namespace

double cpu_seconds(pid_t pid) {
  Stat stat;
  return read_stat(pid, stat) ? stat.seconds : 0;
}

double cpu_seconds_of_tree(pid_t root) {
  std::map<pid_t, Stat> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    Stat stat;
    if (name.find_first_not_of("0123456789") == std::string::npos && read_stat(std::stoi(name), stat))
      all[std::stoi(name)] = stat;
  }
  double sum = 0;
  for (const auto& [pid, stat] : all) {
    pid_t ancestor = pid;
    while (ancestor != root && ancestor > 1 && all.contains(ancestor)) ancestor = all[ancestor].parent;
    if (ancestor == root) sum += stat.seconds;
  }
  return sum;
}

double resident_bytes(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(in, line);)
    if (line.rfind("VmRSS:", 0) == 0) return std::stod(line.substr(6)) * 1024;
  return 0;
}

}  // namespace godwit::bench
