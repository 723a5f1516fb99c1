#pragma once
#include <deque>
#include <map>
#include <optional>

#include "engine/clock.hpp"

namespace godwit::lab {

// A clock that moves only when it is told to: days pass at once. Posted work runs in run_posted(), timers when their
// time has come.
class VirtualClock : public engine::Clock {
 public:
  explicit VirtualClock(base::Instant start = base::from_microseconds(1'700'000'000'000'000)) : start_(start) {}

  base::Instant now() const override { return start_ + elapsed(); }
  base::Tick tick() const override { return tick_; }
  std::uint64_t at(base::Tick when, std::function<void()> work) override {
    timers_.emplace(std::pair(when, ++last_), std::move(work));
    return last_;
  }
  void cancel(std::uint64_t timer) override {
    std::erase_if(timers_, [&](const auto& entry) { return entry.first.second == timer; });
  }
  void post(std::function<void()> work) override { posted_.push_back(std::move(work)); }

  // Runs one piece of posted work; false when there is none.
  bool run_one() {
    if (posted_.empty()) return false;
    const auto work = std::move(posted_.front());
    posted_.pop_front();
    work();
    return true;
  }
  void run_posted() {
    while (run_one()) {
    }
  }
  // Goes to the next timer and runs it; false when there is none.
  bool next_timer() {
    if (timers_.empty()) return false;
    auto first = timers_.extract(timers_.begin());
    tick_ = std::max(tick_, first.key().first);
    first.mapped()();
    return true;
  }
  void advance(base::Duration by) {
    const base::Tick end = tick_ + by;
    run_posted();
    while (!timers_.empty() && timers_.begin()->first.first <= end) {
      next_timer();
      run_posted();
    }
    tick_ = end;
  }
  // What was posted or set and has not run belongs to a life that is over.
  void forget() {
    posted_.clear();
    timers_.clear();
  }
  std::size_t timers() const { return timers_.size(); }
  // The time of the next timer; empty when there is none.
  std::optional<base::Tick> next_time() const {
    return timers_.empty() ? std::nullopt : std::optional(timers_.begin()->first.first);
  }
  // The time that has passed since the start.
  base::Duration elapsed() const { return std::chrono::duration_cast<base::Duration>(tick_.time_since_epoch()); }

 private:
  base::Instant start_;
  base::Tick tick_{};
  std::deque<std::function<void()>> posted_;
  std::map<std::pair<base::Tick, std::uint64_t>, std::function<void()>> timers_;
  std::uint64_t last_ = 0;
};

}  // namespace godwit::lab
