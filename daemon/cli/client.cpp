#include "cli/client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/paths.hpp"
#include "base/utf8.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

constexpr auto kPatience = std::chrono::seconds(3);  // after which the daemon is asked what keeps it
constexpr std::size_t kChunk = 64u << 10;

base::Error no_daemon(const std::string& path, const std::string& why) {
  return base::Error(
      base::ErrorKind::unavailable, "no daemon answers: " + why, {path, 0, 0, {}},
      "start one with `systemctl start godwitd` or `godwitd`, or name another socket with --socket or GODWIT_SOCKET");
}

// Gone when `until` has passed; the longest time when there is none.
int milliseconds_left(base::Tick until) {
  if (until == base::Tick::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - base::tick()).count();
  return left <= 0 ? 0 : static_cast<int>(std::min<std::int64_t>(left, 1'000'000));
}

}  // namespace

std::string default_socket() {
  if (const char* path = std::getenv("GODWIT_SOCKET"); path && *path) return path;
  const auto surroundings = base::read_surroundings();
  auto system = surroundings;
  system.root = true;
  const std::string of_system = base::default_socket(system, base::default_state_dir(system));
  if (surroundings.root || ::access(of_system.c_str(), F_OK) == 0) return of_system;
  return base::default_socket(surroundings, base::default_state_dir(surroundings));
}

Client::Client(std::string path) : path_(std::move(path)), socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.empty() || path_.size() >= sizeof address.sun_path) {
    throw base::Error(base::ErrorKind::usage,
                      "a socket's path has 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes",
                      {path_, 0, 0, {}});
  }
  std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  if (socket_ && ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
  if (errno == EACCES || errno == EPERM) {
    throw base::Error(base::ErrorKind::denied, "this user may not open the daemon's socket", {path_, 0, 0, {}},
                      "the socket's group may; ask who runs the daemon");
  }
  throw no_daemon(path_, std::strerror(errno));
}

json::value Client::call(std::string_view method, json::object params) {
  const std::int64_t id = request(method, std::move(params));
  std::int64_t status_id = 0;
  auto until = base::tick() + kPatience;
  for (;;) {
    auto message = take(until);
    if (!message) {
      if (delayed_) status_id = request("daemon.status", {});
      until = base::Tick::max();
      continue;
    }
    if (auto* event = std::get_if<wire::RpcEvent>(&*message)) {
      events_.push_back(std::move(*event));
      continue;
    }
    auto& answer = std::get<wire::RpcAnswer>(*message);
    if (answer.id == id || answer.id.is_null()) {  // an error without an id ends the connection and so concerns us
      if (answer.error) throw *answer.error;
      return std::move(answer.result);
    }
    if (answer.id == status_id && !answer.error) explain_delay(answer.result);
  }
}

std::int64_t Client::request(std::string_view method, json::object params) {
  std::string line;
  wire::encode_rpc_request({++last_id_, std::string(method), std::move(params)}, line);
  if (line.size() - 1 > wire::kRpcLineMax) {
    throw base::refused("the request is longer than " + std::to_string(wire::kRpcLineMax >> 20) + " MiB", {},
                        "large data goes by reference, for example as a path in a parameter");
  }
  if (!base::is_utf8(line)) throw base::refused("the command line or a file name is not UTF-8 text");
  send(line);
  return last_id_;
}

std::optional<wire::RpcEvent> Client::next_event(base::Duration patience) {
  const auto until = base::tick() + patience;
  while (events_.empty()) {
    auto message = take(until);
    if (!message) return std::nullopt;
    if (auto* event = std::get_if<wire::RpcEvent>(&*message)) events_.push_back(std::move(*event));
  }
  auto event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::optional<std::variant<wire::RpcAnswer, wire::RpcEvent>> Client::take(base::Tick until) {
  const auto line = read_line(until);
  return line ? std::optional(wire::decode_rpc_reply(*line)) : std::nullopt;
}

void Client::send(const std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t size = ::send(socket_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0)
      return;  // what the daemon had to say before it closed is still to be read; reading meets the end otherwise
    sent += static_cast<std::size_t>(size);
  }
}

std::optional<std::string> Client::read_line(base::Tick until) {
  for (;;) {
    if (const auto end = input_.find('\n', scanned_); end != std::string::npos) {
      std::string line = input_.substr(0, end);
      input_.erase(0, end + 1);
      scanned_ = 0;
      return line;
    }
    scanned_ = input_.size();
    if (scanned_ > wire::kRpcLineMax) lost("it sent a line longer than the protocol allows");
    pollfd entry{socket_.get(), POLLIN, 0};
    const int ready = ::poll(&entry, 1, milliseconds_left(until));
    if (ready == 0) return std::nullopt;
    if (ready < 0 && errno == EINTR) continue;
    const std::size_t before = input_.size();
    input_.resize(before + kChunk);
    const ssize_t size = ::recv(socket_.get(), input_.data() + before, kChunk, 0);
    const int error = errno;
    input_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    if (size == 0) lost("the daemon closed it");
    if (size < 0 && error != EINTR) lost(std::strerror(error));
  }
}

void Client::explain_delay(const json::value& status) {
  const auto* object = status.if_object();
  const auto* store = object ? object->if_contains("store") : nullptr;
  const auto* state = store && store->is_object() ? store->get_object().if_contains("state") : nullptr;
  if (!state || !state->is_string() || *state == "up") return;
  delayed_("still waiting: the database is " + std::string(state->get_string()) +
           "; the daemon answers when it is back");
}

void Client::lost(const std::string& how) const {
  throw base::Error(base::ErrorKind::unavailable, "the connection to the daemon was lost: " + how, {path_, 0, 0, {}});
}

}  // namespace godwit::cli
