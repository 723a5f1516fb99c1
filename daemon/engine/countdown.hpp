#pragma once
#include <cstddef>
#include <functional>

namespace godwit::engine {

// Counts answers that are still to come and calls `done` when the last one is there.
class Countdown {
 public:
  Countdown(std::size_t count, std::function<void()> done) : left_(count), done_(std::move(done)) {}
  void arrived() {
    if (--left_ == 0) done_();
  }

 private:
  std::size_t left_;
  std::function<void()> done_;
};

}  // namespace godwit::engine
