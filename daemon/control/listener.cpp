#include "control/listener.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/error.hpp"
#include "control/role.hpp"

namespace godwit::control {
namespace {

[[noreturn]] void fail(const std::string& what, const std::string& path, const std::string& hint = {}) {
  const int error = errno;
  throw base::Error(base::ErrorKind::failed, what + ": " + std::strerror(error), {path, 0, 0, {}}, hint);
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    throw base::Error(base::ErrorKind::usage,
                      "a socket's path has 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes",
                      {path, 0, 0, {}}, "choose a shorter one with --socket");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

base::UniqueFd new_socket(const std::string& path) {
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) fail("cannot make a socket", path);
  return fd;
}

void make_directories(const std::filesystem::path& directory, mode_t mode) {
  if (directory.empty() || ::access(directory.c_str(), F_OK) == 0) return;
  make_directories(directory.parent_path(), mode);
  if (::mkdir(directory.c_str(), mode) != 0 && errno != EEXIST) fail("cannot make the socket's folder", directory);
  if (::chmod(directory.c_str(), mode) != 0) fail("cannot set the mode of the socket's folder", directory);
}

base::LockFile lock_path(const std::string& path) {
  const std::string name = path + ".lock";
  base::LockFile lock(name);
  if (!lock.held())
    throw base::Error(base::ErrorKind::failed, lock.holder() + " listens at " + path, {name, 0, 0, {}},
                      "stop it, or choose another path with --socket");
  return lock;
}

void remove_stale(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return;
  if (!S_ISSOCK(found.st_mode)) {
    throw base::Error(base::ErrorKind::failed, "something other than a socket stands here", {path, 0, 0, {}},
                      "move it away, or choose another path with --socket");
  }
  const auto address = address_of(path);
  const auto probe = new_socket(path);
  // EAGAIN is an answer too: somebody listens and has a full queue.
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN) {
    errno = EADDRINUSE;
    fail("another daemon answers here", path, "stop it, or choose another path with --socket");
  }
  if (errno != ECONNREFUSED) fail("cannot tell whether somebody listens here", path);
  if (::unlink(path.c_str()) != 0) fail("cannot remove the stale socket", path);
}

// systemd hands over descriptors from 3 on; the first stream socket that listens is ours. It stays open for a daemon
// that begins anew in this process.
base::UniqueFd take_activated() {
  const int count = sd_listen_fds(0);
  for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd) {
    if (sd_is_socket_unix(fd, SOCK_STREAM, 1, nullptr, 0) > 0) {
      ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
      return base::UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    }
  }
  return {};
}

}  // namespace

Listener Listener::open(const ListenerSettings& settings) {
  Listener listener;
  listener.socket_ = take_activated();
  if (listener.socket_) return listener;

  // Bound under a name of its own and moved into place when mode, group and queue are as they shall be: nobody ever
  // meets a half-made socket.
  const std::string making = settings.path + ".new";
  address_of(settings.path);  // the length that counts is that of the final path
  make_directories(std::filesystem::path(settings.path).parent_path(), settings.directory_mode);
  listener.lock_ = lock_path(settings.path);
  remove_stale(settings.path);
  ::unlink(making.c_str());
  listener.socket_ = new_socket(settings.path);
  const auto address = address_of(making);
  const int fd = listener.socket_.get();
  ::fchmod(fd, 0600);  // the inode that bind() makes takes its mode from here
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("cannot bind the socket", making);
  if (!settings.group.empty()) {
    const auto group = find_group(settings.group);
    if (!group)
      throw base::Error(base::ErrorKind::failed, "there is no group '" + settings.group + "' for the socket",
                        {settings.path, 0, 0, {}});
    if (::chown(making.c_str(), static_cast<uid_t>(-1), *group) != 0)
      fail("cannot give the socket to group " + settings.group, making);
  }
  if (::chmod(making.c_str(), settings.mode) != 0) fail("cannot set the socket's mode", making);
  if (::listen(fd, SOMAXCONN) != 0) fail("cannot listen", making);
  if (::rename(making.c_str(), settings.path.c_str()) != 0) fail("cannot put the socket in place", settings.path);
  listener.path_ = settings.path;
  ::lstat(settings.path.c_str(), &listener.made_);
  return listener;
}

Listener::Listener(Listener&& other) noexcept
    : socket_(std::move(other.socket_)),
      lock_(std::move(other.lock_)),
      path_(std::exchange(other.path_, {})),
      made_(other.made_) {}

Listener::~Listener() {
  struct stat found {};
  if (path_.empty() || ::lstat(path_.c_str(), &found) != 0) return;
  if (found.st_ino == made_.st_ino && found.st_dev == made_.st_dev) ::unlink(path_.c_str());
}

}  // namespace godwit::control
