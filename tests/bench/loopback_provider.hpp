#pragma once
#include <atomic>
#include <chrono>
#include <thread>

#include "base/unique_fd.hpp"

namespace godwit::bench {

// An HTTP/1.1 server on loopback that answers every request after a fixed delay: the slow outside world, at little cost
// of its own.
class LoopbackProvider {
 public:
  explicit LoopbackProvider(std::chrono::milliseconds delay);
  ~LoopbackProvider();

  int port() const { return port_; }
  int in_flight_max() const { return in_flight_max_; }
  int served() const { return served_; }
  // Lets so many requests a second through from now on, a tenth of it at once, and answers 429 to the others.
  void allow(double per_second) { allowed_ = per_second; }
  int refused() const { return refused_; }

 private:
  void serve();

  std::chrono::milliseconds delay_;
  base::UniqueFd listener_;
  base::UniqueFd wake_;
  int port_ = 0;
  std::atomic<int> in_flight_max_{0};
  std::atomic<int> served_{0};
  std::atomic<int> refused_{0};
  std::atomic<double> allowed_{0};  // 0 for all
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace godwit::bench
