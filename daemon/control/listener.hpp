#pragma once
#include <sys/stat.h>

#include <string>

#include "base/lock_file.hpp"
#include "base/unique_fd.hpp"

namespace godwit::control {

struct ListenerSettings {
  std::string path;
  std::string group;             // owns the socket; empty leaves the daemon's own group
  mode_t mode = 0660;            // of the socket; who may connect still has no role by that
  mode_t directory_mode = 0755;  // of folders that have to be made: 0755 for the system's daemon, 0700 for a user's own
};

// A Unix stream socket that listens. One that was made here is removed again with this object; one of systemd's stays.
class Listener {
 public:
  // Takes the socket systemd hands over when there is one, else makes one at the path. What stands at the path is
  // replaced only when it is a socket on which nobody answers. Throws Error(failed) or Error(usage).
  static Listener open(const ListenerSettings& settings);
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  // The descriptor, whose ownership goes to the caller. May be taken once.
  int release() { return socket_.release(); }
  // Whether systemd has the socket too, and so lets clients wait while nobody takes them.
  bool outlives_this() const { return path_.empty(); }

 private:
  Listener() = default;

  base::UniqueFd socket_;
  base::LockFile lock_;  // on PATH.lock: two daemons that start at once must not remove each other's socket
  std::string path_;  // empty when systemd made the socket
  struct stat made_ {};
};

}  // namespace godwit::control
