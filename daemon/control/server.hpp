#pragma once
#include <boost/asio/io_context.hpp>
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

  // Takes no more clients; those that are there go on.
  void stop_listening();
  // {"socket","listening","sessions","buffered_bytes","accepted","refused"}: for `godwit status`.
  base::json::object status() const;
  // Names in the role settings that this machine does not know.
  const std::vector<base::Error::Problem>& problems() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace godwit::control
