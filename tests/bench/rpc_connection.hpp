#pragma once
#include <string>

#include "base/json.hpp"
#include "base/unique_fd.hpp"

namespace godwit::bench {

// A connection to the control socket that stays open: requests can be sent ahead of their answers.
class RpcConnection {
 public:
  explicit RpcConnection(const std::string& socket);

  // Sends a request; answers come in receive() in the order in which they are ready.
  void send(const std::string& method, const base::json::object& params);
  // The next message's text, without parsing. Throws when the daemon closes the connection.
  std::string receive_text();
  base::json::object receive();
  // One request and its answer; throws with the daemon's words when it is an error.
  base::json::value call(const std::string& method, const base::json::object& params = {});

 private:
  base::UniqueFd fd_;
  std::string buffer_;
  std::size_t start_ = 0;
  int last_id_ = 0;
};

}  // namespace godwit::bench
