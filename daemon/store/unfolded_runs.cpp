#include "store/unfolded_runs.hpp"

#include <algorithm>

namespace godwit::store {

void UnfoldedRuns::add(const std::vector<std::int64_t>& runs) {
  const std::lock_guard lock(mutex_);
  for (const auto run : runs) {
    runs_.push_back(run);
    widen(run);
  }
}

void UnfoldedRuns::drop(std::size_t count) {
  const std::lock_guard lock(mutex_);
  runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(std::min(count, runs_.size())));
  range_ = {};
  for (const auto run : runs_) widen(run);
}

std::size_t UnfoldedRuns::size() const {
  const std::lock_guard lock(mutex_);
  return runs_.size();
}

UnfoldedRuns::Range UnfoldedRuns::range() const {
  const std::lock_guard lock(mutex_);
  return range_;
}

void UnfoldedRuns::widen(std::int64_t run) {
  range_.first = std::min(range_.first, run);
  range_.last = std::max(range_.last, run);
}

}  // namespace godwit::store
