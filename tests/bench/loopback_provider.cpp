#include "bench/loopback_provider.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <deque>
#include <map>
#include <stdexcept>
#include <string>

namespace godwit::bench {
namespace {

using Clock = std::chrono::steady_clock;

const std::string kBody =
    R"({"ok":true,"model":"simulated","usage":{"in":1234,"out":567},"text":")" + std::string(130, 'x') + "\"}";

const std::string kTooMany =
    "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";

// The tokens of a limit that may change at any time.
class Bucket {
 public:
  bool take(double rate, Clock::time_point now) {
    const std::chrono::duration<double> passed = now - last_;
    last_ = now;
    tokens_ = std::min(std::max(1.0, rate / 10), tokens_ + passed.count() * rate);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  Clock::time_point last_ = Clock::now();
  double tokens_ = 1;
};

}  // namespace

LoopbackProvider::LoopbackProvider(std::chrono::milliseconds delay)
    : delay_(delay),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      wake_(::eventfd(0, EFD_CLOEXEC)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_.get(), 1024) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no loopback port");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

LoopbackProvider::~LoopbackProvider() {
  stopping_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

void LoopbackProvider::serve() {
  const base::UniqueFd poller(::epoll_create1(EPOLL_CLOEXEC));
  const auto watch = [&](int fd) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    ::epoll_ctl(poller.get(), EPOLL_CTL_ADD, fd, &event);
  };
  watch(listener_.get());
  watch(wake_.get());
  std::map<int, std::pair<base::UniqueFd, std::string>> clients;
  struct Due {
    Clock::time_point at;
    int client;
    bool good;
  };
  std::deque<Due> due;
  Bucket bucket;
  const std::string reply =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(kBody.size()) +
      "\r\n\r\n" + kBody;
  while (!stopping_) {
    // To the nanosecond: a whole millisecond more on each call would be measured as godwit's.
    const auto left =
        due.empty() ? Clock::duration::zero() : std::max(Clock::duration::zero(), due.front().at - Clock::now());
    const timespec timeout{.tv_sec = left / std::chrono::seconds(1),
                           .tv_nsec = (left % std::chrono::seconds(1)).count()};
    epoll_event events[256];
    const int count = ::epoll_pwait2(poller.get(), events, 256, due.empty() ? nullptr : &timeout, nullptr);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == wake_.get()) continue;
      if (fd == listener_.get()) {
        for (int client; (client = ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
          const int one = 1;
          ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          clients[client].first = base::UniqueFd(client);
          watch(client);
        }
        continue;
      }
      char buffer[4096];
      const ssize_t size = ::read(fd, buffer, sizeof buffer);
      if (size <= 0) {
        clients.erase(fd);
        continue;
      }
      std::string& text = clients[fd].second;
      text.append(buffer, static_cast<std::size_t>(size));
      for (auto end = text.find("\r\n\r\n"); end != std::string::npos; end = text.find("\r\n\r\n")) {
        text.erase(0, end + 4);
        const double allowed = allowed_;
        due.push_back({Clock::now() + delay_, fd, allowed == 0 || bucket.take(allowed, Clock::now())});
        in_flight_max_ = std::max(in_flight_max_.load(), static_cast<int>(due.size()));
      }
    }
    while (!due.empty() && due.front().at <= Clock::now()) {
      const Due next = due.front();
      due.pop_front();
      const std::string& text = next.good ? reply : kTooMany;
      if (clients.contains(next.client)) {
        [[maybe_unused]] const auto sent = ::send(next.client, text.data(), text.size(), MSG_NOSIGNAL);
      }
      ++(next.good ? served_ : refused_);
    }
  }
}

}  // namespace godwit::bench
