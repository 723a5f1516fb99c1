#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"

namespace godwit::support {

// Stands between a client and the server's socket and cuts each connection after a random number of messages: either
// before the last one reached the server or after, so that the client cannot know which.
class CuttingProxy {
 public:
  CuttingProxy(std::string server_socket, std::uint32_t seed, int fewest, int most);
  ~CuttingProxy();

  int port() const { return port_; }
  int cuts() const { return cuts_; }
  void stop_cutting() { cutting_ = false; }

 private:
  void accept_all();
  void serve(base::UniqueFd client);
  int draw(int low, int high);

  std::string server_socket_;
  int fewest_, most_;
  std::mutex mutex_;
  std::mt19937 random_;
  std::atomic<int> cuts_ = 0;
  std::atomic<bool> cutting_ = true;
  std::atomic<bool> stopping_ = false;
  base::UniqueFd listener_;
  int port_ = 0;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace godwit::support
