#include "app/loop_clock.hpp"

#include <boost/asio/post.hpp>

namespace godwit::app {

std::uint64_t LoopClock::at(base::Tick when, std::function<void()> work) {
  const std::uint64_t timer = ++last_;
  timers_.emplace(std::pair(when, timer), std::move(work));
  when_.emplace(timer, when);
  if (when < armed_) arm();
  return timer;
}

void LoopClock::cancel(std::uint64_t timer) {
  const auto found = when_.find(timer);
  if (found == when_.end()) return;
  timers_.erase({found->second, timer});
  when_.erase(found);
}

void LoopClock::post(std::function<void()> work) {
  boost::asio::post(loop_, std::move(work));
}

void LoopClock::arm() {
  armed_ = timers_.empty() ? base::Tick::max() : timers_.begin()->first.first;
  if (timers_.empty()) return;
  alarm_.expires_at(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(armed_));
  alarm_.async_wait([this](const boost::system::error_code& error) {
    if (!error) ring();
  });
}

void LoopClock::ring() {
  const base::Tick now = base::tick();
  armed_ = base::Tick::max();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    auto first = timers_.extract(timers_.begin());
    when_.erase(first.key().second);
    first.mapped()();
  }
  arm();
}

}  // namespace godwit::app
