#pragma once
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"

namespace godwit::support {

// Stands between a daemon and its database as the network would. While it is cut nothing gets through in either
// direction and nobody is told; when it is mended, what was cut off is closed.
class WireProxy {
 public:
  explicit WireProxy(std::string server_socket);
  ~WireProxy();
  WireProxy(const WireProxy&) = delete;

  int port() const { return port_; }
  void cut() { cut_ = true; }
  void mend();

 private:
  void accept_all();
  void serve(base::UniqueFd client, int life);

  std::string server_socket_;
  std::atomic<bool> cut_ = false;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> life_ = 0;  // grows with each mending
  base::UniqueFd listener_;
  int port_ = 0;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace godwit::support
