#include "egress/server.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace godwit::egress {
namespace {

using wire::HostMessage;

// Beyond these a request waits for an earlier one's end.
constexpr long kConnectionsMax = 256;
constexpr long kConnectionsPerHostMax = 32;
constexpr int kWaitMs = 60'000;

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

Server::Server(base::UniqueFd socket) : socket_(std::move(socket)) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  multi_ = curl_multi_init();
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, kConnectionsMax);
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, kConnectionsPerHostMax);
}

Server::~Server() {
  for (const auto& [number, exchange] : exchanges_) curl_multi_remove_handle(multi_, exchange->handle());
  curl_multi_cleanup(multi_);
}

int Server::serve() {
  while (true) {
    int running = 0;
    curl_multi_perform(multi_, &running);
    finish_transfers();
    send_outbox();
    curl_waitfd own{socket_.get(), static_cast<short>(CURL_WAIT_POLLIN | (outbox_.empty() ? 0 : CURL_WAIT_POLLOUT)), 0};
    curl_multi_poll(multi_, &own, 1, kWaitMs, nullptr);
    if (!read_frames()) return 0;
  }
}

bool Server::read_frames() {
  const wire::FrameReader::Space space = reader_.space(64 * 1024);
  const ssize_t got = ::recv(socket_.get(), space.data, space.size, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) return false;
  reader_.filled(static_cast<std::size_t>(got));
  while (const auto frame = reader_.next()) on_frame(*frame);
  return true;
}

void Server::on_frame(const wire::Frame& frame) {
  if (static_cast<HostMessage>(frame.type) == HostMessage::http_request) return start(frame);
  const auto found = exchanges_.find(frame.call);  // a cancel
  if (found == exchanges_.end()) return;
  curl_multi_remove_handle(multi_, found->second->handle());
  exchanges_.erase(found);
}

void Server::start(const wire::Frame& frame) {
  wire::expect_blobs(frame, 3);
  try {
    auto exchange = std::make_unique<Exchange>(frame.call, frame.blobs[0], std::string(frame.blobs[1]),
                                               HostRules(lines_of(frame.blobs[2])));
    curl_multi_add_handle(multi_, exchange->handle());
    exchanges_.emplace(frame.call, std::move(exchange));
  } catch (const base::Error& error) {
    answer(frame.call, Exchange::answer(error));
  }
}

void Server::finish_transfers() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    Exchange* exchange = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
    curl_multi_remove_handle(multi_, exchange->handle());
    if (exchange->follow(code)) {
      curl_multi_add_handle(multi_, exchange->handle());
      continue;
    }
    answer(exchange->number(), exchange->answer(code));
    exchanges_.erase(exchange->number());
  }
}

void Server::answer(std::uint64_t number, const Exchange::Answer& answer) {
  wire::append_message(outbox_, HostMessage::reply, number, 0, static_cast<std::uint8_t>(answer.status),
                       {answer.value, answer.body});
}

void Server::send_outbox() {
  while (sent_ < outbox_.size()) {
    const ssize_t sent =
        ::send(socket_.get(), outbox_.data() + sent_, outbox_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return;  // full, or the daemon has gone, which reading shows
    sent_ += static_cast<std::size_t>(sent);
  }
  outbox_.clear();
  sent_ = 0;
}

}  // namespace godwit::egress
