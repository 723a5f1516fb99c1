#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <vector>

namespace godwit::store {

// The runs that this node has committed in this life and that stand in neither open_run nor before fold.number (see the
// schema), in the order of their commits. Who looks for them looks between their numbers only. From any thread.
class UnfoldedRuns {
 public:
  // The least and the greatest of their numbers; nothing is between them while there are none.
  struct Range {
    std::int64_t first = std::numeric_limits<std::int64_t>::max();
    std::int64_t last = std::numeric_limits<std::int64_t>::min();
  };

  void add(const std::vector<std::int64_t>& runs);
  // So many of the oldest are folded.
  void drop(std::size_t count);
  std::size_t size() const;
  Range range() const;

 private:
  void widen(std::int64_t run);

  mutable std::mutex mutex_;
  std::deque<std::int64_t> runs_;
  Range range_;
};

}  // namespace godwit::store
