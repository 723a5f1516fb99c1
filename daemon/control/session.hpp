#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <span>
#include <string>

#include "base/time.hpp"
#include "control/channel.hpp"
#include "control/command.hpp"
#include "control/session_limits.hpp"
#include "wire/rpc.hpp"

namespace godwit::control {

class Session;

// What a session asks of the server that keeps it.
class SessionHost {
 public:
  virtual ~SessionHost() = default;
  // Calls session.flush() at the end of this turn of the loop, so that answers given together are written together.
  virtual void flush_later(std::shared_ptr<Session> session) = 0;
  // Calls `function` from the loop, never from inside this call.
  virtual void later(std::function<void()> function) = 0;
  virtual void buffers_changed(std::ptrdiff_t bytes) = 0;
  virtual void closed(Session& session) = 0;
  // Where all sessions receive: one loop, one at a time.
  virtual std::span<char> scratch() = 0;
  // Why nothing may be changed now; empty when it may.
  virtual std::string takes_no_changes() const = 0;
};

// One client's connection: reads requests, runs commands, writes answers and events in the order they come up.
class Session : public Channel, public std::enable_shared_from_this<Session> {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;

  Session(SessionHost& host, const CommandTable& commands, const SessionLimits& limits, Socket socket,
          engine::Caller caller, Role role);

  // The life of the session, from its first request to its end.
  static boost::asio::awaitable<void> run(std::shared_ptr<Session> session);
  void close(const std::string& why);
  // As close(), but ends subscriptions at once: for a server that goes away.
  void abandon();
  void flush();
  // Ends a session that has kept the daemon waiting for too long, or whose client has gone while a request was under
  // way.
  void check_deadlines(base::Tick now);

  const engine::Caller& caller() const { return caller_; }
  std::size_t buffered() const { return input_.size() + backlog(); }

  void send_result(const base::json::value& id, const base::json::value& result) override;
  void send_error(const base::json::value& id, const base::Error& error) override;
  void send_event(std::uint64_t subscription, const base::json::object& event) override;
  std::size_t backlog() const override { return output_.size() - sent_; }
  std::uint64_t subscribe(std::function<void()> end) override;
  bool unsubscribe(std::uint64_t subscription) override;

 private:
  bool must_wait() const;
  bool receive();
  // Runs whole lines until none is left, the client has to wait, or others should have a turn. True when lines may be
  // left.
  bool take_lines();
  void take_line(std::string_view line);
  void run_command(wire::RpcRequest request);
  // Why this client may not call it now.
  std::optional<base::Error> refusal(const Command& command) const;
  void refuse_line(const wire::RpcRefusal& refusal);
  void settled();
  void end_of_input();
  template <typename Encode>
  bool append(Encode encode);
  void close_when_flushed();
  void account();
  void wait_until_writable();

  SessionHost* host_;  // null once closed
  const CommandTable& commands_;
  const SessionLimits& limits_;
  Socket socket_;
  boost::asio::steady_timer room_;  // never expires: cancelled when a waiting reader may go on
  engine::Caller caller_;
  Role role_;
  std::string input_;
  std::size_t scanned_ = 0;  // bytes of input_ known to hold no line feed
  bool lines_left_ = false;  // input_ begins with a whole line that waits for its turn
  base::Tick line_started_;  // meaningful while input_ holds the beginning of a line
  std::string output_;
  std::size_t sent_ = 0;
  base::Tick taken_at_;  // when the client last took a byte
  bool flush_planned_ = false;
  bool writing_ = false;      // waits until the socket takes more
  bool input_ended_ = false;  // the client will send nothing more
  bool finishing_ = false;    // closes when everything is written
  std::size_t in_flight_ = 0;
  int garbage_ = 0;
  std::size_t accounted_ = 0;
  std::uint64_t last_subscription_ = 0;
  std::map<std::uint64_t, std::function<void()>> subscriptions_;
};

}  // namespace godwit::control
