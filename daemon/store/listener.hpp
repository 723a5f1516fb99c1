#pragma once
#include <functional>
#include <thread>

#include "base/unique_fd.hpp"
#include "store/uplink.hpp"

namespace godwit::store {

// Waits for the notifications of godwit.submit() and of other nodes on a connection of its own.
class Listener {
 public:
  // `arrived` (for the inbox) and `rang` (other nodes) are called on the listener's thread, also after each new
  // connection, since nobody told us what came meanwhile.
  Listener(const Site& site, std::function<void()> arrived, std::function<void()> rang);
  ~Listener();

  void start();
  // After the StopSignal was raised.
  void join();

 private:
  void run();
  void wait(Connection& connection);

  const Site& site_;
  Uplink uplink_;
  std::function<void()> arrived_, rang_;
  base::UniqueFd wake_;
  std::thread thread_;
};

}  // namespace godwit::store
