#pragma once
#include <curl/curl.h>

#include <map>
#include <memory>
#include <string>

#include "base/unique_fd.hpp"
#include "egress/exchange.hpp"
#include "wire/frame.hpp"

namespace godwit::egress {

// Makes the HTTP requests of all plugins for godwitd, many at once on one thread, and ends when godwitd does. What
// strangers send is read here and not in the daemon.
class Server {
 public:
  explicit Server(base::UniqueFd socket);
  ~Server();
  // Returns the exit code.
  int serve();

 private:
  // False when the daemon has gone.
  bool read_frames();
  void on_frame(const wire::Frame& frame);
  void start(const wire::Frame& frame);
  void finish_transfers();
  void answer(std::uint64_t number, const Exchange::Answer& answer);
  void send_outbox();

  base::UniqueFd socket_;
  CURLM* multi_;
  std::map<std::uint64_t, std::unique_ptr<Exchange>> exchanges_;
  wire::FrameReader reader_;
  std::string outbox_;
  std::size_t sent_ = 0;
};

}  // namespace godwit::egress
