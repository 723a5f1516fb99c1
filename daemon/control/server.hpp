#pragma once
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>

#include "control/command.hpp"
#include "control/listener.hpp"
#include "control/role.hpp"
#include "control/session_limits.hpp"

namespace godwit::control {

struct ServerSettings {
  ListenerSettings listener;
  RoleSettings roles;
  SessionLimits limits;
  std::size_t sessions_max = 256;
  std::size_t sessions_per_user_max = 64;  // for every user but root and the daemon's own
  std::size_t sessions_for_admins = 16;    // of sessions_max: others do not get the last ones
  std::size_t buffers_max = 256u << 20;    // bytes of all sessions together; the one with the most loses its connection
};

// Listens on the control socket and keeps the sessions. Lives on one io_context, run by one thread: the engine's.
class Server {
 public:
  // Throws when the socket cannot be had. Clients are served as soon as the loop runs. `commands` must outlive the
  // server.
  Server(boost::asio::io_context& loop, ServerSettings settings, const CommandTable& commands);
  // Ends all sessions, after a last attempt to write what they have to read.
  ~Server();
  Server(const Server&) = delete;

  // For a daemon that waits for its end: whoever asks is answered, but nothing is changed any more; `why` says what is
  // still waited for. Clients of a socket of systemd's are left to the next daemon.
  void take_no_changes(std::function<std::string()> why);
  // {"socket","listening","sessions","buffered_bytes","accepted","refused"} and "ending", why(): for `godwit status`.
  base::json::object status() const;
  // Names in the role settings that this machine does not know.
  const std::vector<base::Error::Problem>& problems() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace godwit::control
