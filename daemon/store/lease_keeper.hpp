#pragma once
#include <time.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "engine/cluster.hpp"
#include "store/node_seat.hpp"
#include "store/uplink.hpp"

namespace godwit::store {

// Keeps this node's lease, on a thread and a connection of its own: renews it four times in its period, ends the leases
// of nodes that did not, and knows how long this node may act.
//
// By its own clock, which runs while the machine sleeps, and counted from before each renewal was sent, the node may
// act for 7 tenths of the period; what it has under way by then is cut off. After 8.5 tenths a timer of the kernel
// kills a process that could not see to that, because it was stopped or stuck. Only after the whole period do others
// take over.
class LeaseKeeper : public engine::Lease {
 public:
  struct Hooks {
    std::function<void(const engine::Beat&)> renewed;  // on the keeper's thread
    std::function<void()> lost;                        // somebody has ended it or taken the place; the keeper is done
  };
  LeaseKeeper(const Site& site, base::Duration period, Hooks hooks);
  ~LeaseKeeper() override;

  bool held() const override { return left().count() > 0; }
  base::Duration left() const override;
  // With the seat, which was taken after `taken` (see boot_time()). A keeper that is never started holds its lease for
  // ever.
  void start(const NodeSeat& seat, base::Duration taken);
  // Renews soon, because something may have changed.
  void hurry();
  // Nothing that a lease protects is under way any more: the timer is stopped until the next renewal.
  void at_rest();
  // After the StopSignal was raised.
  void join();

  // CLOCK_BOOTTIME.
  static base::Duration boot_time();

 private:
  void run();
  bool renew();
  void wait();
  void acts_from(base::Duration sent);
  void arm(base::Duration deadline);

  const Site& site_;
  const base::Duration period_;
  Hooks hooks_;
  Uplink uplink_;
  NodeSeat seat_;
  std::atomic<std::int64_t> until_{INT64_MAX};  // microseconds of boot_time()
  std::mutex mutex_;
  std::condition_variable wake_;
  bool hurry_ = false;
  bool stopped_ = false;
  std::optional<timer_t> timer_;
  std::thread thread_;
};

}  // namespace godwit::store
