#include "base/lock_file.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <thread>

#include "base/error.hpp"
#include "base/time.hpp"

namespace godwit::base {
namespace {

// A holder that was killed while it started a process leaves the lock with that one until it has begun its program.
constexpr auto kHandOver = std::chrono::seconds(1);
constexpr auto kBetweenTries = std::chrono::milliseconds(5);

[[noreturn]] void fail(const char* what, const std::string& path) {
  throw Error(ErrorKind::failed, std::string(what) + ": " + std::strerror(errno), {path, 0, 0, {}});
}

bool try_lock(int fd, const std::string& path) {
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno != EWOULDBLOCK) fail("cannot lock", path);
  return false;
}

bool is_gone(pid_t pid) {
  return pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH;
}

pid_t read_number(int fd) {
  char text[32];
  const ssize_t size = ::pread(fd, text, sizeof text, 0);
  pid_t number = 0;
  const bool good = size > 0 && std::from_chars(text, text + size, number).ec == std::errc() && number > 0;
  return good ? number : -1;
}

void write_number(int fd, const std::string& path) {
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    fail("cannot write to the lock", path);
}

}  // namespace

LockFile::LockFile(const std::string& path)
    : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {
  if (!fd_) fail("cannot open the lock", path);
  const auto give_up_at = tick() + kHandOver;
  while (!try_lock(fd_.get(), path)) {
    holder_ = read_number(fd_.get());
    if (!is_gone(holder_) || tick() > give_up_at) return;
    std::this_thread::sleep_for(kBetweenTries);
  }
  holder_ = 0;
  write_number(fd_.get(), path);
}

std::string LockFile::holder() const {
  return holder_ > 0 ? "pid " + std::to_string(holder_) : "another process";
}

}  // namespace godwit::base
