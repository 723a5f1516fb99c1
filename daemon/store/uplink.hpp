#pragma once
#include <functional>
#include <memory>
#include <random>
#include <string>

#include "store/connection.hpp"
#include "store/stop_signal.hpp"
#include "store/watchdog.hpp"

namespace godwit::store {

// What all connections of one store share.
struct Site {
  std::string url;
  base::Duration call_limit = std::chrono::seconds(10);
  Watchdog& watchdog;
  StopSignal& stop;
};

// A connection that is made again whenever it broke, after pauses that grow and differ. Used by one thread.
class Uplink {
 public:
  // `settings` are statements that each session begins with.
  Uplink(const Site& site, std::string purpose, std::string settings = {});

  // Called with the reason of each failed attempt to connect.
  void on_failed(std::function<void(const std::string&)> hook) { failed_ = std::move(hook); }

  // The connection; waits until there is one. Throws Stopped.
  Connection& get();
  void drop();
  // Ends the session of this server process if it is one of ours: lost to us, it may still be at work there, holding
  // locks.
  void end_session(int backend);
  const Site& site() const { return site_; }
  // A pause before something is tried again that failed for a reason outside the connection.
  void back_off();
  void succeeded() { failures_ = 0; }

 private:
  void connect();

  const Site& site_;
  std::string purpose_, settings_;
  std::function<void(const std::string&)> failed_;
  std::unique_ptr<Connection> connection_;
  int lost_backend_ = 0;
  int failures_ = 0;
  std::minstd_rand random_;
};

}  // namespace godwit::store
