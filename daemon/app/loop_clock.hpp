#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <unordered_map>

#include "engine/clock.hpp"

namespace godwit::app {

// The engine's clock on the daemon's loop: all timers in one ordered map behind one timer of the loop, so that a
// hundred thousand waiting runs cost as many map entries and nothing else. post() may be called from any thread, the
// rest on the loop's only.
class LoopClock : public engine::Clock {
 public:
  explicit LoopClock(boost::asio::io_context& loop) : loop_(loop), alarm_(loop) {}

  base::Instant now() const override { return base::now(); }
  base::Tick tick() const override { return base::tick(); }
  std::uint64_t at(base::Tick when, std::function<void()> work) override;
  void cancel(std::uint64_t timer) override;
  void post(std::function<void()> work) override;

 private:
  void arm();
  void ring();

  boost::asio::io_context& loop_;
  boost::asio::steady_timer alarm_;
  std::map<std::pair<base::Tick, std::uint64_t>, std::function<void()>> timers_;
  std::unordered_map<std::uint64_t, base::Tick> when_;
  std::uint64_t last_ = 0;
  base::Tick armed_ = base::Tick::max();
};

}  // namespace godwit::app
