#include "integration/store/cutting_proxy.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <stdexcept>

namespace godwit::support {

CuttingProxy::CuttingProxy(std::string server_socket, std::uint32_t seed, int fewest, int most)
    : server_socket_(std::move(server_socket)),
      fewest_(fewest),
      most_(most),
      random_(seed),
      listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_.get(), 16) != 0 ||
      getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("the proxy cannot listen");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

CuttingProxy::~CuttingProxy() {
  stopping_ = true;
  shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  for (auto& thread : threads_) thread.join();
}

int CuttingProxy::draw(int low, int high) {
  const std::lock_guard lock(mutex_);
  return std::uniform_int_distribution<int>(low, high)(random_);
}

void CuttingProxy::accept_all() {
  while (!stopping_) {
    base::UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) continue;
    threads_.emplace_back([this, fd = client.release()] { serve(base::UniqueFd(fd)); });
  }
}

void CuttingProxy::serve(base::UniqueFd client) {
  const base::UniqueFd server(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, server_socket_.c_str(), sizeof address.sun_path - 1);
  if (connect(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
  int left = draw(fewest_, most_);
  const bool deliver_last = draw(0, 1) == 1;
  std::vector<char> buffer(1 << 20);
  while (!stopping_) {
    pollfd fds[2] = {{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}};
    if (poll(fds, 2, 50) <= 0) continue;
    const bool from_client = fds[0].revents != 0;
    const int from = from_client ? client.get() : server.get(), to = from_client ? server.get() : client.get();
    const ssize_t length = recv(from, buffer.data(), buffer.size(), 0);
    if (length <= 0) return;
    const bool cut = from_client && cutting_ && --left <= 0;
    if (cut) ++cuts_;
    if (cut && !deliver_last) return;
    for (ssize_t sent = 0; sent < length;) {
      const ssize_t part = send(to, buffer.data() + sent, static_cast<std::size_t>(length - sent), MSG_NOSIGNAL);
      if (part <= 0) return;
      sent += part;
    }
    // The answer is lost, perhaps after the commit.
    if (cut) {
      shutdown(client.get(), SHUT_RDWR);
      pollfd answer{server.get(), POLLIN, 0};
      poll(&answer, 1, 200);
      return;
    }
  }
}

}  // namespace godwit::support
