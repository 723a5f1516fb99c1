#pragma once
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "base/time.hpp"
#include "base/unique_fd.hpp"
#include "wire/rpc.hpp"

namespace godwit::cli {

// Where the daemon's socket is when nobody says: GODWIT_SOCKET, else the system's daemon if there is one, else the
// user's own.
std::string default_socket();

// One blocking connection to the daemon. Throws Error(unavailable) when there is no daemon or it goes away.
class Client {
 public:
  explicit Client(std::string path);

  // Called with a sentence when an answer takes long and the daemon says why.
  void on_delay(std::function<void(const std::string& why)> tell) { delayed_ = std::move(tell); }
  // Sends a request and waits for its answer; events that come before it are kept. Throws the daemon's error.
  base::json::value call(std::string_view method, base::json::object params = {});
  // The next event, or empty when none came in time.
  std::optional<wire::RpcEvent> next_event(base::Duration patience);

 private:
  void send(const std::string& bytes);
  // Reads until a whole line is there or the time is over.
  std::optional<std::string> read_line(base::Tick until);
  // The next message of either kind; empty when none came in time.
  std::optional<std::variant<wire::RpcAnswer, wire::RpcEvent>> take(base::Tick until);
  std::int64_t request(std::string_view method, base::json::object params);
  void explain_delay(const base::json::value& status);
  [[noreturn]] void lost(const std::string& how) const;

  std::string path_;
  base::UniqueFd socket_;
  std::string input_;
  std::size_t scanned_ = 0;
  std::int64_t last_id_ = 0;
  std::deque<wire::RpcEvent> events_;
  std::function<void(const std::string&)> delayed_;
};

}  // namespace godwit::cli
