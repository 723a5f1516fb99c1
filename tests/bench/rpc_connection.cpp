#include "bench/rpc_connection.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <stdexcept>

namespace godwit::bench {

namespace json = base::json;

RpcConnection::RpcConnection(const std::string& socket) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("cannot connect to " + socket);
}

void RpcConnection::send(const std::string& method, const json::object& params) {
  const std::string text =
      json::serialize(json::object{{"jsonrpc", "2.0"}, {"id", ++last_id_}, {"method", method}, {"params", params}}) +
      "\n";
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t count = ::send(fd_.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) throw std::runtime_error("the daemon closed the connection");
    sent += static_cast<std::size_t>(count);
  }
}

std::string RpcConnection::receive_text() {
  for (;;) {
    const auto end = buffer_.find('\n', start_);
    if (end != std::string::npos) {
      std::string line = buffer_.substr(start_, end - start_);
      start_ = end + 1;
      if (start_ > 1u << 20) buffer_.erase(0, std::exchange(start_, 0));
      return line;
    }
    char chunk[65536];
    const ssize_t count = ::read(fd_.get(), chunk, sizeof chunk);
    if (count <= 0) throw std::runtime_error("the daemon closed the connection");
    buffer_.append(chunk, static_cast<std::size_t>(count));
  }
}

json::object RpcConnection::receive() {
  return base::parse_json(receive_text()).as_object();
}

json::value RpcConnection::call(const std::string& method, const json::object& params) {
  send(method, params);
  for (;;) {
    auto reply = receive();
    if (!reply.contains("id")) continue;
    if (const auto* error = reply.if_contains("error"))
      throw std::runtime_error(method + ": " + json::serialize(*error));
    return reply.at("result");
  }
}

}  // namespace godwit::bench
