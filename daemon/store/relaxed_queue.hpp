#pragma once
#include <deque>
#include <map>
#include <vector>

#include "base/time.hpp"
#include "engine/store.hpp"

namespace godwit::store {

// Facts that may be lost, on their way to the next batch: log lines and progress. There is room for so many; of the log
// of one run for no more than is free, so that who writes very much leaves room for the others. A log that has a gap
// says so where the gap is. Not for several threads at once.
class RelaxedQueue {
 public:
  struct Entry {
    engine::Fact fact;
    std::size_t size = 0;
  };

  explicit RelaxedQueue(std::size_t facts_max, std::size_t bytes_max) : facts_max_(facts_max), bytes_max_(bytes_max) {}

  // False when there was no room for it.
  bool add(engine::Fact fact);
  // The oldest, up to so many facts and bytes. `now`: what is left has waited since then.
  std::vector<Entry> take(std::size_t facts, std::size_t bytes, base::Tick now);

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  std::size_t bytes() const { return bytes_; }
  // When the oldest came, while there is one.
  base::Tick since() const { return since_; }

 private:
  struct Share {
    std::size_t facts = 0, bytes = 0;
    std::size_t left_out = 0;
    engine::Logged last;  // of those left out, without its text
  };

  bool has_room(const Share& share, std::size_t size) const;
  void push(engine::Fact fact, std::size_t size);
  void tell_gap(Share& share);

  const std::size_t facts_max_, bytes_max_;
  std::deque<Entry> entries_;
  std::size_t bytes_ = 0;
  base::Tick since_{};
  std::map<model::RunId, Share> logs_;  // of runs with lines here, or with a gap to be told
};

}  // namespace godwit::store
