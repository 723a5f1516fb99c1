#include "store/watchdog.hpp"

#include <pthread.h>
#include <sys/socket.h>

namespace godwit::store {
namespace {

// Deadlines are kept this roughly, so that a call that is answered in time costs no wake-up of this thread.
constexpr auto kTurn = std::chrono::milliseconds(500);
// Turns without any call before the thread sleeps until it is woken.
constexpr int kTurnsUntilIdle = 10;

void cut(Watched& watched) {
  watched.fired = true;
  shutdown(watched.fd, SHUT_RDWR);
}

}  // namespace

Watchdog::Watchdog() : thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "store-watchdog");
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Watchdog::run() {
  std::unique_lock lock(mutex_);
  int empty_turns = 0;
  while (!stopping_) {
    empty_turns = watched_.empty() ? empty_turns + 1 : 0;
    idle_ = empty_turns >= kTurnsUntilIdle;
    if (idle_)
      wake_.wait(lock, [this] { return stopping_ || !watched_.empty(); });
    else
      wake_.wait_for(lock, kTurn, [this] { return stopping_; });
    const auto now = base::tick();
    for (auto& watched : watched_)
      if (!watched.fired && watched.deadline <= now) cut(watched);
  }
}

void Watchdog::cut_all() {
  const std::lock_guard lock(mutex_);
  cutting_ = true;
  for (auto& watched : watched_) cut(watched);
}

Watchdog::Guard::Guard(Watchdog& watchdog, int fd, base::Duration limit) : watchdog_(watchdog) {
  const std::lock_guard lock(watchdog_.mutex_);
  entry_ = watchdog_.watched_.insert(watchdog_.watched_.end(), Watched{fd, base::tick() + limit, false});
  if (watchdog_.cutting_) cut(*entry_);
  if (watchdog_.idle_) watchdog_.wake_.notify_one();
}

Watchdog::Guard::~Guard() {
  const std::lock_guard lock(watchdog_.mutex_);
  watchdog_.watched_.erase(entry_);
}

bool Watchdog::Guard::fired() const {
  const std::lock_guard lock(watchdog_.mutex_);
  return entry_->fired;
}

}  // namespace godwit::store
