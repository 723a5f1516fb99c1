#include "base/idle_trim.hpp"

#include <unistd.h>

#include <ctime>
#include <fstream>
#include <utility>

#include "base/heap.hpp"

namespace godwit::base {
namespace {

constexpr std::size_t kGrown = 8 << 20;
constexpr double kBusy = 0.2;

double seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

std::size_t resident_bytes() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

IdleTrim::IdleTrim(std::function<double()> busy) : busy_(std::move(busy)) {}

bool IdleTrim::look() {
  if (busy_() > kBusy || resident_bytes() < trimmed_to_ + kGrown) return false;
  trim();
  return true;
}

void IdleTrim::trim() {
  give_back_heap();
  trimmed_to_ = resident_bytes();
}

std::function<double()> IdleTrim::processor_share() {
  return [looked = 0.0, used = 0.0]() mutable {
    const double now = seconds(CLOCK_MONOTONIC), all = seconds(CLOCK_PROCESS_CPUTIME_ID);
    return (all - std::exchange(used, all)) / (now - std::exchange(looked, now));
  };
}

}  // namespace godwit::base
