#include "control/server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>

#include "base/log.hpp"
#include "control/peer.hpp"
#include "control/session.hpp"

namespace godwit::control {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
constexpr auto kQuietly = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kScratchSize = 64u << 10;
constexpr auto kAcceptPause = std::chrono::milliseconds(100);  // when the process has no descriptor left

base::Duration sweep_interval(const SessionLimits& limits) {
  const auto shortest = std::min(limits.line_deadline, limits.stuck_deadline);
  return std::clamp<base::Duration>(shortest / 10, std::chrono::milliseconds(5), std::chrono::seconds(1));
}

// A new socket's buffer is empty, so one short line always fits: nobody has to wait for the client to read it.
void turn_away(stream_protocol::socket& socket, const base::Error& error) {
  std::string line;
  wire::encode_rpc_error(nullptr, error, line);
  ::send(socket.native_handle(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void log_end(const char* what, const std::exception_ptr& failure) {
  if (!failure) return;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    base::log::error("control: {} ended by an error: {}", what, error.what());
  }
}

}  // namespace

// Shared with what it has posted to the loop, so that nothing there can outlive it.
class Server::Impl : public SessionHost, public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& loop, ServerSettings settings, const CommandTable& commands)
      : loop_(loop),
        settings_(std::move(settings)),
        commands_(commands),
        policy_(settings_.roles, ::geteuid()),
        listener_(Listener::open(settings_.listener)),
        acceptor_(loop, stream_protocol(), listener_->release()),
        pause_(loop),
        sweep_(loop),
        scratch_(kScratchSize) {}

  void start() {
    asio::co_spawn(loop_, accept_all(shared_from_this()),
                   [](std::exception_ptr failure) { log_end("the listener", failure); });
  }
  void take_no_changes(std::function<std::string()> why);
  void stop();
  base::json::object status() const;
  const std::vector<base::Error::Problem>& problems() const { return policy_.problems(); }

  void flush_later(std::shared_ptr<Session> session) override;
  void later(std::function<void()> function) override;
  void buffers_changed(std::ptrdiff_t bytes) override;
  void closed(Session& session) override;
  std::span<char> scratch() override { return scratch_; }
  std::string takes_no_changes() const override { return no_changes_ ? no_changes_() : std::string(); }

 private:
  void stop_listening();
  static asio::awaitable<void> accept_all(std::shared_ptr<Impl> self);
  static asio::awaitable<void> sweep_all(std::shared_ptr<Impl> self);
  void add(stream_protocol::socket socket);
  std::string refusal(const Peer& peer, Role role, const std::string& name) const;
  const std::string& name_of(uid_t uid);
  void flush_all();

  asio::io_context& loop_;
  ServerSettings settings_;
  const CommandTable& commands_;
  RolePolicy policy_;
  std::optional<Listener> listener_;  // until stop_listening(), which takes its path away
  stream_protocol::acceptor acceptor_;
  asio::steady_timer pause_;
  asio::steady_timer sweep_;
  std::vector<char> scratch_;
  std::set<std::shared_ptr<Session>> sessions_;
  std::vector<std::shared_ptr<Session>> to_flush_;
  std::map<uid_t, std::string> names_;
  std::ptrdiff_t buffered_ = 0;
  bool relieving_ = false;
  bool sweeping_ = false;
  bool stopped_ = false;
  std::function<std::string()> no_changes_;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
};

asio::awaitable<void> Server::Impl::accept_all(std::shared_ptr<Impl> self) {
  while (self->acceptor_.is_open()) {
    auto [error, socket] = co_await self->acceptor_.async_accept(kQuietly);
    if (!self->acceptor_.is_open()) break;
    if (!error) {
      self->add(std::move(socket));
    } else if (error != asio::error::connection_aborted) {
      base::log::error("control: cannot accept a client: {}", error.message());
      self->pause_.expires_after(kAcceptPause);
      co_await self->pause_.async_wait(kQuietly);
    }
  }
}

void Server::Impl::add(stream_protocol::socket socket) {
  const auto peer = read_peer(socket.native_handle());
  if (!peer) return;  // gone already, or a kernel that does not say who it is: neither gets an answer
  boost::system::error_code failed;
  socket.native_non_blocking(true, failed);
  if (failed) return;
  const Role role = policy_.role_of(peer->uid, peer->groups);
  const std::string& name = name_of(peer->uid);
  const std::string why = refusal(*peer, role, name);
  ++accepted_;
  if (!why.empty()) {
    ++refused_;
    return turn_away(socket,
                     base::Error(role == Role::none ? base::ErrorKind::denied : base::ErrorKind::unavailable, why));
  }
  const auto session =
      std::make_shared<Session>(*this, commands_, settings_.limits, std::move(socket),
                                engine::Caller{static_cast<std::int64_t>(peer->uid), name, names_up_to(role)}, role);
  sessions_.insert(session);
  asio::co_spawn(loop_, Session::run(session), [session](std::exception_ptr failure) {
    log_end("a session", failure);
    if (failure) session->close("");
  });
  if (!std::exchange(sweeping_, true)) asio::co_spawn(loop_, sweep_all(shared_from_this()), asio::detached);
}

std::string Server::Impl::refusal(const Peer& peer, Role role, const std::string& name) const {
  if (role == Role::none)
    return "user '" + name + "' has no role here; roles are given to users and groups in the daemon's settings";
  const std::size_t places =
      settings_.sessions_max -
      (role == Role::admin ? 0 : std::min(settings_.sessions_for_admins, settings_.sessions_max));
  if (sessions_.size() >= places)
    return "the daemon has " + std::to_string(sessions_.size()) + " clients and takes no more; try again later";
  if (peer.uid == 0 || peer.uid == ::geteuid()) return {};
  std::size_t own = 0;
  for (const auto& session : sessions_) own += session->caller().uid == static_cast<std::int64_t>(peer.uid) ? 1 : 0;
  if (own < settings_.sessions_per_user_max) return {};
  return "user '" + name + "' has " + std::to_string(own) + " connections and gets no more; close one";
}

const std::string& Server::Impl::name_of(uid_t uid) {
  const auto [entry, fresh] = names_.try_emplace(uid);
  if (fresh) entry->second = user_name(uid);
  return entry->second;
}

void Server::Impl::flush_later(std::shared_ptr<Session> session) {
  to_flush_.push_back(std::move(session));
  if (to_flush_.size() == 1) asio::post(loop_, [self = shared_from_this()] { self->flush_all(); });
}

void Server::Impl::flush_all() {
  for (const auto& session : std::exchange(to_flush_, {})) session->flush();
}

void Server::Impl::later(std::function<void()> function) {
  asio::post(loop_, [self = shared_from_this(), function = std::move(function)] {
    if (!self->stopped_) function();
  });
}

void Server::Impl::buffers_changed(std::ptrdiff_t bytes) {
  buffered_ += bytes;
  while (!relieving_ && buffered_ > static_cast<std::ptrdiff_t>(settings_.buffers_max) && !sessions_.empty()) {
    relieving_ = true;
    const auto largest = std::max_element(sessions_.begin(), sessions_.end(),
                                          [](const auto& a, const auto& b) { return a->buffered() < b->buffered(); });
    std::shared_ptr<Session>(*largest)->close("the buffers of all clients are full, and its own are the largest");
    relieving_ = false;
  }
}

// The session may be in the middle of a call of its own: it is kept until the loop comes round.
void Server::Impl::closed(Session& session) {
  const auto found = sessions_.find(session.shared_from_this());
  if (found == sessions_.end()) return;
  asio::post(loop_, [kept = *found] {});
  sessions_.erase(found);
}

asio::awaitable<void> Server::Impl::sweep_all(std::shared_ptr<Impl> self) {
  while (!self->sessions_.empty()) {
    self->sweep_.expires_after(sweep_interval(self->settings_.limits));
    co_await self->sweep_.async_wait(kQuietly);
    const auto now = base::tick();
    const auto sessions = self->sessions_;
    for (const auto& session : sessions) session->check_deadlines(now);
  }
  self->sweeping_ = false;
}

void Server::Impl::stop_listening() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
  listener_.reset();
}

void Server::Impl::take_no_changes(std::function<std::string()> why) {
  no_changes_ = std::move(why);
  if (listener_ && listener_->outlives_this()) stop_listening();
}

void Server::Impl::stop() {
  stopped_ = true;
  stop_listening();
  sweep_.cancel();
  const auto sessions = sessions_;
  for (const auto& session : sessions) session->abandon();
  to_flush_.clear();
}

base::json::object Server::Impl::status() const {
  base::json::object status{{"socket", settings_.listener.path},
                            {"listening", listener_.has_value()},
                            {"sessions", sessions_.size()},
                            {"buffered_bytes", buffered_},
                            {"accepted", accepted_},
                            {"refused", refused_}};
  if (no_changes_) status["ending"] = no_changes_();
  return status;
}

Server::Server(asio::io_context& loop, ServerSettings settings, const CommandTable& commands)
    : impl_(std::make_shared<Impl>(loop, std::move(settings), commands)) {
  impl_->start();
}
Server::~Server() {
  impl_->stop();
}
void Server::take_no_changes(std::function<std::string()> why) {
  impl_->take_no_changes(std::move(why));
}
base::json::object Server::status() const {
  return impl_->status();
}
const std::vector<base::Error::Problem>& Server::problems() const {
  return impl_->problems();
}

}  // namespace godwit::control
