#include "control/session.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.hpp"

namespace godwit::control {
namespace {

namespace asio = boost::asio;
namespace json = base::json;

constexpr std::size_t kLinesPerTurn = 64;
constexpr std::size_t kBufferKept = 64u << 10;  // a buffer that once was larger is given back when it is empty
constexpr auto kQuietly = asio::as_tuple(asio::use_awaitable);

void empty(std::string& buffer) {
  if (buffer.capacity() > kBufferKept) std::string().swap(buffer);
  buffer.clear();
}

// Whether the other side has closed its socket altogether, and not only said that it will send no more.
bool is_gone(int socket) {
  pollfd entry{socket, 0, 0};
  return ::poll(&entry, 1, 0) == 1 && (entry.revents & (POLLHUP | POLLERR)) != 0;
}

}  // namespace

Session::Session(SessionHost& host, const CommandTable& commands, const SessionLimits& limits, Socket socket,
                 engine::Caller caller, Role role)
    : host_(&host),
      commands_(commands),
      limits_(limits),
      socket_(std::move(socket)),
      room_(socket_.get_executor(), asio::steady_timer::time_point::max()),
      caller_(std::move(caller)),
      role_(role) {}

asio::awaitable<void> Session::run(std::shared_ptr<Session> session) {
  auto& self = *session;
  while (self.host_ && !self.input_ended_ && !self.finishing_) {
    if (self.take_lines()) {
      if (self.must_wait()) {
        co_await self.room_.async_wait(kQuietly);
      } else {
        co_await asio::post(self.socket_.get_executor(), kQuietly);
      }
      continue;
    }
    if (!self.host_ || self.finishing_) break;
    co_await self.socket_.async_wait(Socket::wait_read, kQuietly);
    if (self.host_ && !self.receive()) self.end_of_input();
  }
}

bool Session::must_wait() const {
  return host_ && !finishing_ && (in_flight_ >= limits_.requests_in_flight_max || backlog() >= limits_.queue_pause);
}

bool Session::receive() {
  const auto scratch = host_->scratch();
  const ssize_t size = ::recv(socket_.native_handle(), scratch.data(), scratch.size(), MSG_DONTWAIT);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) return false;
  if (input_.empty()) line_started_ = base::tick();
  const std::size_t needed = input_.size() + static_cast<std::size_t>(size);
  // Doubling goes as far as the longest line there may be, and not beyond.
  if (needed > input_.capacity())
    input_.reserve(std::max(needed, std::min(input_.capacity() * 2, wire::kRpcLineMax + scratch.size())));
  input_.append(scratch.data(), static_cast<std::size_t>(size));
  account();
  return true;
}

bool Session::take_lines() {
  std::size_t begin = 0;
  std::size_t taken = 0;
  bool left = false;
  while (host_ && !finishing_) {
    const std::size_t end = input_.find('\n', std::max(begin, scanned_));
    if (end == std::string::npos) break;
    if (taken++ == kLinesPerTurn || must_wait()) {
      left = true;
      break;
    }
    if (end - begin > wire::kRpcLineMax) break;
    take_line(std::string_view(input_).substr(begin, end - begin));
    begin = end + 1;
  }
  if (begin > 0) {
    input_.erase(0, begin);
    line_started_ = base::tick();
  }
  lines_left_ = left;
  scanned_ = left ? 0 : input_.size();
  if (!left && !finishing_ && host_ && input_.size() > wire::kRpcLineMax) {
    refuse_line({wire::kRpcInvalidRequest,
                 "a line has at most " + std::to_string(wire::kRpcLineMax) + " bytes; send bulk in several requests",
                 nullptr});
    close_when_flushed();
  }
  if (finishing_ || input_.empty()) empty(input_);
  if (host_) account();
  return left;
}

void Session::take_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) return;
  auto decoded = wire::decode_rpc_request(line);
  if (auto* request = std::get_if<wire::RpcRequest>(&decoded)) {
    run_command(std::move(*request));
  } else {
    refuse_line(std::get<wire::RpcRefusal>(decoded));
    if (++garbage_ >= limits_.garbage_max) close_when_flushed();
  }
}

void Session::run_command(wire::RpcRequest request) {
  const auto* command = commands_.find(request.method);
  if (!command) {
    const std::string hint = commands_.suggestion(request.method);
    return refuse_line(
        {wire::kRpcMethodNotFound,
         "there is no method '" + request.method.substr(0, 100) + "'" + (hint.empty() ? "" : "; " + hint), request.id});
  }
  if (const auto error = refusal(*command)) return send_error(request.id, *error);
  ++in_flight_;
  const Reply reply(weak_from_this(), std::move(request.id), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) static_cast<Session&>(*self).settled();
  });
  reply.guard([&] {
    command->handle(Call{caller_, role_, Arguments::check(std::move(request.params), command->parameters), reply});
  });
}

std::optional<base::Error> Session::refusal(const Command& command) const {
  if (role_ < command.role)
    return base::Error(base::ErrorKind::denied,
                       "user '" + caller_.name + "' has role " + std::string(name(role_)) + ", but " +
                           std::string(command.name) + " needs role " + std::string(name(command.role)),
                       {}, "roles are given to users and groups in the daemon's settings");
  if (command.role == Role::viewer) return std::nullopt;
  const std::string why = host_->takes_no_changes();
  if (why.empty()) return std::nullopt;
  return base::Error(base::ErrorKind::unavailable, why, {}, "try again once godwitd has been started anew");
}

void Session::settled() {
  --in_flight_;
  if (!must_wait()) room_.cancel();
  if (input_ended_ && in_flight_ == 0) close_when_flushed();
}

// A client may say that it sends no more and still wait for its answers (a shell's pipe does); one that is gone
// altogether waits for nothing.
void Session::end_of_input() {
  input_ended_ = true;
  if (is_gone(socket_.native_handle())) return close("");
  if (!input_.empty()) refuse_line({wire::kRpcParseError, "the last line has no line feed", nullptr});
  while (!subscriptions_.empty()) unsubscribe(subscriptions_.begin()->first);
  if (in_flight_ == 0) close_when_flushed();
}

template <typename Encode>
bool Session::append(Encode encode) {
  if (!host_ || finishing_) return true;
  const std::size_t before = output_.size();
  if (before == sent_) taken_at_ = base::tick();
  encode(output_);
  if (output_.size() - before - 1 > wire::kRpcLineMax) {
    output_.resize(before);
    return false;
  }
  if (backlog() > limits_.queue_max) {
    close("it does not read what it asked for");
    return true;
  }
  account();
  if (!flush_planned_ && !writing_ && host_) {
    flush_planned_ = true;
    host_->flush_later(shared_from_this());
  }
  return true;
}

void Session::send_result(const json::value& id, const json::value& result) {
  if (append([&](std::string& out) { wire::encode_rpc_result(id, result, out); })) return;
  send_error(id, base::Error(base::ErrorKind::refused,
                             "the answer is longer than " + std::to_string(wire::kRpcLineMax >> 20) + " MiB", {},
                             "ask for less at once: a smaller limit, or no outputs"));
}

void Session::send_error(const json::value& id, const base::Error& error) {
  if (append([&](std::string& out) { wire::encode_rpc_error(id, error, out); })) return;
  append([&](std::string& out) {
    wire::encode_rpc_error(id, base::Error(error.kind(), "there are more problems than fit into one answer"), out);
  });
}

void Session::send_event(std::uint64_t subscription, const json::object& event) {
  if (append([&](std::string& out) { wire::encode_rpc_event(subscription, event, out); })) return;
  base::log::warning("control: an event too long for one line was left out");
}

void Session::refuse_line(const wire::RpcRefusal& refusal) {
  append([&](std::string& out) { wire::encode_rpc_refusal(refusal, out); });
}

std::uint64_t Session::subscribe(std::function<void()> end) {
  if (subscriptions_.size() >= limits_.subscriptions_max) {
    throw base::refused("one connection has at most " + std::to_string(limits_.subscriptions_max) + " subscriptions",
                        {}, "end one with run.unfollow, or open another connection");
  }
  subscriptions_.emplace(++last_subscription_, std::move(end));
  return last_subscription_;
}

bool Session::unsubscribe(std::uint64_t subscription) {
  auto found = subscriptions_.extract(subscription);
  if (found.empty()) return false;
  if (host_) host_->later(std::move(found.mapped()));
  return true;
}

void Session::flush() {
  flush_planned_ = false;
  while (host_ && backlog() > 0) {
    const ssize_t size =
        ::send(socket_.native_handle(), output_.data() + sent_, backlog(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) {
      wait_until_writable();
      break;
    }
    if (size < 0) return close("");
    sent_ += static_cast<std::size_t>(size);
    taken_at_ = base::tick();
  }
  if (!host_) return;
  if (backlog() == 0) {
    empty(output_);
    sent_ = 0;
    if (finishing_) return close("");
  } else if (sent_ > output_.size() / 2) {
    output_.erase(0, sent_);
    sent_ = 0;
  }
  account();
  if (!must_wait()) room_.cancel();
}

void Session::wait_until_writable() {
  writing_ = true;
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const boost::system::error_code& error) {
    self->writing_ = false;
    if (!error) self->flush();
  });
}

void Session::close_when_flushed() {
  if (!host_ || finishing_) return;
  finishing_ = true;
  room_.cancel();
  if (backlog() == 0) {
    close("");
  } else if (!flush_planned_ && !writing_) {
    flush_planned_ = true;
    host_->flush_later(shared_from_this());
  }
}

void Session::close(const std::string& why) {
  if (!host_) return;
  if (!why.empty()) base::log::warning("control: disconnected user '{}': {}", caller_.name, why);
  while (!subscriptions_.empty()) unsubscribe(subscriptions_.begin()->first);
  auto& host = *host_;
  host.buffers_changed(-static_cast<std::ptrdiff_t>(std::exchange(accounted_, 0)));
  host_ = nullptr;
  boost::system::error_code ignored;
  socket_.close(ignored);
  room_.cancel();
  host.closed(*this);
}

void Session::abandon() {
  if (!host_) return;
  const auto self = shared_from_this();
  if (backlog() > 0) ::send(socket_.native_handle(), output_.data() + sent_, backlog(), MSG_NOSIGNAL | MSG_DONTWAIT);
  for (const auto& entry : std::exchange(subscriptions_, {})) entry.second();
  close("");
}

void Session::check_deadlines(base::Tick now) {
  if (!host_) return;
  if (backlog() > 0 && now - taken_at_ > limits_.stuck_deadline)
    return close("it has not read its answers for too long");
  if ((input_ended_ || must_wait()) && is_gone(socket_.native_handle())) return close("");
  if (!input_.empty() && !lines_left_ && !finishing_ && !input_ended_ && now - line_started_ > limits_.line_deadline) {
    refuse_line({wire::kRpcParseError,
                 "a request must be complete within " + base::format_duration(limits_.line_deadline), nullptr});
    close_when_flushed();
  }
}

void Session::account() {
  const std::size_t now = buffered();
  const auto change = static_cast<std::ptrdiff_t>(now) - static_cast<std::ptrdiff_t>(std::exchange(accounted_, now));
  if (change != 0) host_->buffers_changed(change);
}

}  // namespace godwit::control
