#include "host/channel.hpp"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <utility>

namespace godwit::host {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::int64_t kNever = INT64_MAX;

// What a plugin makes with fork() is no host: it may compute and start a program, but not answer in the host's name.
int protocol_fd = -1;
bool is_forked = false;

void become_forked() {
  is_forked = true;
  ::close(protocol_fd);
}

// Nothing can be reported to the daemon any more, and destructors of a plugin's globals could hang. When it was the
// plugin that closed what is not its own, stderr says so.
[[noreturn]] void daemon_is_gone() {
  if (is_forked) {
    std::fputs("godwit-host: a process that the plugin had forked came back from the plugin, and was ended\n", stderr);
    ::_exit(70);
  }
  if (errno != EBADF && errno != ENOTSOCK) ::_exit(0);
  std::fputs("godwit-host: the plugin closed the connection to godwitd\n", stderr);
  ::_exit(70);
}

}  // namespace

Channel::Channel(base::UniqueFd socket)
    : socket_(std::move(socket)), wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), tick_due_(kNever) {
  protocol_fd = socket_.get();
  ::pthread_atfork(nullptr, nullptr, become_forked);
}

void Channel::finish_write(std::unique_lock<std::mutex>& lock, Flush flush) {
  if (sending_) return;
  if (flush == Flush::now) {
    send_outbox(lock);
  } else if (!io_awake_) {
    io_awake_ = true;
    lock.unlock();
    wake();
  }
}

void Channel::send_outbox(std::unique_lock<std::mutex>& lock) {
  if (sending_) return;
  sending_ = true;
  while (!outbox_.empty()) {
    std::swap(outbox_, in_transit_);
    lock.unlock();
    send_all(in_transit_);
    in_transit_.clear();
    if (in_transit_.capacity() > kOutboxSizeMax) in_transit_.shrink_to_fit();
    lock.lock();
    room_.notify_all();
  }
  sending_ = false;
  room_.notify_all();
}

void Channel::drain() {
  std::unique_lock lock(mutex_);
  send_outbox(lock);
  room_.wait(lock, [this] { return !sending_ && outbox_.empty(); });
}

void Channel::send_all(const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) daemon_is_gone();
    done += static_cast<std::size_t>(sent);
  }
}

void Channel::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_.get(), &one, sizeof one);
}

void Channel::wait_for_room(const std::function<bool()>& stop) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] { return outbox_.size() < kOutboxSizeMax || stop(); });
}

void Channel::wake_waiters() {
  const std::lock_guard lock(mutex_);
  room_.notify_all();
}

void Channel::want_tick(std::chrono::milliseconds after) {
  const std::int64_t due = (Clock::now() + after).time_since_epoch().count();
  std::int64_t known = tick_due_.load();
  while (due < known) {
    if (tick_due_.compare_exchange_weak(known, due)) {
      wake();
      return;
    }
  }
}

int Channel::timeout_ms() const {
  const std::int64_t due = tick_due_.load();
  if (due == kNever) return -1;
  const auto left = Clock::duration(due) - Clock::now().time_since_epoch();
  return static_cast<int>(std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(left).count()));
}

void Channel::wait_for_input() {
  {
    std::unique_lock lock(mutex_);
    send_outbox(lock);
    io_awake_ = false;
  }
  pollfd fds[] = {{socket_.get(), POLLIN, 0}, {wake_fd_.get(), POLLIN, 0}};
  ::poll(fds, 2, timeout_ms());
  if (fds[1].revents != 0) {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_fd_.get(), &count, sizeof count);
  }
  const std::lock_guard lock(mutex_);
  io_awake_ = true;
}

// Whoever else wants this processor gets it between two looks.
bool Channel::look_for_input() {
  const Lookout::Time patience = lookout_.patience();
  if (patience == Lookout::Time::zero()) return false;
  const auto end = Clock::now() + patience;
  pollfd fds[] = {{socket_.get(), POLLIN, 0}, {wake_fd_.get(), POLLIN, 0}};
  do {
    if (::poll(fds, 2, 0) > 0) return fds[0].revents != 0;
    ::sched_yield();
  } while (Clock::now() < end);
  lookout_.in_vain();
  return false;
}

ssize_t Channel::receive(char* data, std::size_t size) {
  iovec part{data, size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got <= 0) return got;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    fds_.emplace_back(fd);
  }
  return got;
}

base::UniqueFd Channel::take_fd() {
  if (fds_.empty()) return {};
  base::UniqueFd fd = std::move(fds_.front());
  fds_.pop_front();
  return fd;
}

bool Channel::read_some(const Handlers& handlers) {
  const wire::FrameReader::Space space = reader_.space(64 * 1024);
  const ssize_t got = receive(space.data, space.size);
  if (got == 0) ::_exit(0);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return false;
    daemon_is_gone();
  }
  reader_.filled(static_cast<std::size_t>(got));
  while (const auto frame = reader_.next()) handlers.on_frame(*frame);
  return true;
}

void Channel::serve(const Handlers& handlers) {
  try {
    Next next = Next::wait;
    while (true) {
      const auto begin = Clock::now();
      if (next != Next::answered || !look_for_input()) wait_for_input();
      if (read_some(handlers)) {
        if (next == Next::answered) lookout_.came_after(Clock::now() - begin);
        next = handlers.on_batch();
        if (next == Next::leave) return;
      }
      if (tick_due_.load() <= Clock::now().time_since_epoch().count()) {
        tick_due_ = kNever;
        handlers.on_tick();
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "godwit-host: %s\n", error.what());
    ::_exit(70);
  }
}

}  // namespace godwit::host
