#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

#include "engine/clock.hpp"
#include "model/run.hpp"

namespace godwit::engine {

// The runs that are not in memory because all their steps wait: a number and an instant each.
class Sleepers {
 public:
  // `due` is called for a run whose time has come; it is no sleeper any more then.
  Sleepers(Clock& clock, std::function<void(model::RunId)> due) : clock_(clock), due_(std::move(due)) {}

  // `wake_at` empty: only remove() wakes it.
  void add(model::RunId run, std::optional<base::Instant> wake_at);
  // False when it is none.
  bool remove(model::RunId run) { return runs_.erase(run) > 0; }
  void clear() { runs_.clear(); }
  bool contains(model::RunId run) const { return runs_.contains(run); }
  std::size_t size() const { return runs_.size(); }
  // What is remembered to wake them, that of former sleeps included.
  std::size_t alarms() const { return queue_.size(); }

 private:
  using Entry = std::pair<base::Instant, model::RunId>;
  void tidy();
  void arm();
  void wake();

  Clock& clock_;
  std::function<void(model::RunId)> due_;
  // In one piece: a small node of its own for each would keep a page of what the run had from being given back.
  boost::unordered_flat_map<model::RunId, base::Instant, std::hash<model::RunId>> runs_;
  // Entries of runs that were removed, or added again with another instant, stay until their time comes or until they
  // are more than the others.
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue_;
  std::uint64_t timer_ = 0;
  base::Instant armed_for_;
};

}  // namespace godwit::engine
