#include "support/wire_proxy.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <stdexcept>

namespace godwit::support {

WireProxy::WireProxy(std::string server_socket)
    : server_socket_(std::move(server_socket)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_.get(), 64) != 0 ||
      getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("the proxy cannot listen");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

WireProxy::~WireProxy() {
  stopping_ = true;
  shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  for (auto& thread : threads_) thread.join();
}

void WireProxy::mend() {
  ++life_;
  cut_ = false;
}

void WireProxy::accept_all() {
  while (!stopping_) {
    base::UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) continue;
    threads_.emplace_back([this, fd = client.release(), life = life_.load()] { serve(base::UniqueFd(fd), life); });
  }
}

void WireProxy::serve(base::UniqueFd client, int life) {
  // Who connects while the wire is cut hears nothing until it is mended, and then that it was in vain.
  const auto on = [&] { return !stopping_ && life == life_; };
  while (cut_ && on()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  if (!on()) return;
  const base::UniqueFd server(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, server_socket_.c_str(), sizeof address.sun_path - 1);
  if (connect(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
  std::vector<char> buffer(1 << 18);
  while (on()) {
    if (cut_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      continue;
    }
    pollfd fds[2] = {{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}};
    if (poll(fds, 2, 20) <= 0) continue;
    const bool from_client = fds[0].revents != 0;
    const int from = from_client ? client.get() : server.get(), to = from_client ? server.get() : client.get();
    const ssize_t length = recv(from, buffer.data(), buffer.size(), 0);
    if (length <= 0) return;
    for (ssize_t sent = 0; sent < length;) {
      const ssize_t part = send(to, buffer.data() + sent, static_cast<std::size_t>(length - sent), MSG_NOSIGNAL);
      if (part <= 0) return;
      sent += part;
    }
  }
}

}  // namespace godwit::support
