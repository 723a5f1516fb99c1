#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <unordered_map>

#include "store/socket_watch.hpp"

namespace godwit::app {

// Watches sockets of others on the daemon's loop. The loop's thread only.
class LoopWatch : public store::SocketWatch {
 public:
  explicit LoopWatch(boost::asio::io_context& loop) : loop_(loop) {}
  ~LoopWatch() override;

  void watch(int fd, std::function<void()> readable) override;
  void forget(int fd) override;

 private:
  struct Watched {
    Watched(boost::asio::io_context& loop, int fd, std::function<void()> call)
        : descriptor(loop, fd), readable(std::move(call)) {}
    boost::asio::posix::stream_descriptor descriptor;
    std::function<void()> readable;
    bool forgotten = false;  // perhaps by `readable` itself, so it must live on until it has returned
  };
  static void wait(const std::shared_ptr<Watched>& watched);

  boost::asio::io_context& loop_;
  std::unordered_map<int, std::shared_ptr<Watched>> watched_;
};

}  // namespace godwit::app
