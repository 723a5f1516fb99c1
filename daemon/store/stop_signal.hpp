#pragma once
#include <condition_variable>
#include <mutex>

#include "base/time.hpp"

namespace godwit::store {

// Thrown inside the store's threads when a wait ends because the store stops.
struct Stopped {};

// Ends the waits of all threads of the store.
class StopSignal {
 public:
  void raise() {
    {
      const std::lock_guard lock(mutex_);
      raised_ = true;
    }
    wake_.notify_all();
  }
  bool raised() const {
    const std::lock_guard lock(mutex_);
    return raised_;
  }
  // Waits so long; throws Stopped as soon as the signal is raised.
  void pause(base::Duration duration) {
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, duration, [this] { return raised_; })) throw Stopped{};
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool raised_ = false;
};

}  // namespace godwit::store
