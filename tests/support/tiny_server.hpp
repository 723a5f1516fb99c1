#pragma once
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <thread>

#include "base/unique_fd.hpp"

namespace godwit::support {

// Answers each connection with the same bytes and keeps what it was asked.
class TinyServer {
 public:
  explicit TinyServer(std::string answer)
      : answer_(std::move(answer)), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(socket_.get(), 16) == 0);
    REQUIRE(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
    thread_ = std::thread([this] { serve(); });
  }
  ~TinyServer() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
  }
  const std::string& url() const { return url_; }
  // "127.0.0.1:8080"
  std::string host() const { return url_.substr(7, url_.size() - 8); }
  // Of the last request; after its answer has arrived.
  const std::string& request() const { return request_; }

 private:
  void serve() {
    while (true) {
      const base::UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) return;
      char bytes[4096];
      const ssize_t got = ::recv(client.get(), bytes, sizeof bytes, 0);
      request_.assign(bytes, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
      [[maybe_unused]] const ssize_t sent = ::send(client.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
    }
  }

  std::string answer_;
  base::UniqueFd socket_;
  std::string url_;
  std::string request_;
  std::thread thread_;
};

}  // namespace godwit::support
