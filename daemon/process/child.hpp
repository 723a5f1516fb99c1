#pragma once
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace godwit::process {

// How a process ended.
struct Exit {
  bool by_signal = false;
  int code = 0;                   // exit code, or the signal's number
  std::uint64_t peak_memory = 0;  // bytes that were resident at once
  std::chrono::microseconds cpu_time{};

  bool clean() const { return !by_signal && code == 0; }
  // "exit code 3", "signal SIGSEGV (Segmentation fault)"
  std::string text() const;
};

struct User {
  uid_t user;
  gid_t group;
};

struct SpawnOptions {
  std::string program;                   // absolute path
  std::vector<std::string> arguments;    // without the program itself
  std::vector<std::string> environment;  // "NAME=value", all of it: nothing is inherited
  std::string directory;                 // empty: that of the caller
  std::vector<int> fds;   // fds[n] becomes descriptor n; -1 means /dev/null. 0 to 2 that are not given are /dev/null,
                          // all else is closed
  bool new_group = true;  // a process group of its own
  bool die_with_parent =
      true;  // SIGKILL when the thread that spawned it ends: spawn from a thread that lives as long as the program
  int cgroup = -1;                  // Cgroup::procs_fd(): the process begins its life in that control group
  std::optional<User> user;         // run as somebody else
  bool kill_on_destruction = true;  // see Child
};

// A child process, known by its pidfd and never by a number that the kernel could give to somebody else. Destruction
// kills its group with SIGKILL and reaps it; with `kill_on_destruction` false it leaves the process running, and a
// zombie for the caller's own end to clear.
class Child {
 public:
  Child(pid_t pid, base::UniqueFd pidfd, bool own_group, bool kill_on_destruction);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  // For people and logs only.
  pid_t pid() const { return pid_; }
  // Readable once the process has ended.
  int pidfd() const { return pidfd_.get(); }

  // Both do nothing when the process has been reaped.
  void signal(int number) const;
  // The whole group while its leader is not reaped, which keeps the group's number from being given to others.
  void signal_group(int number) const;

  // The end, when it has come; reaps. Gives the same answer ever after.
  std::optional<Exit> try_wait();
  Exit wait();

 private:
  std::optional<Exit> reap(bool wait);

  pid_t pid_ = -1;
  base::UniqueFd pidfd_;
  bool own_group_ = false;
  bool kill_on_destruction_ = true;
  std::optional<Exit> exit_;
};

// Starts a program. Throws base::Error(failed) that names the program and the step that did not work; no process is
// left then.
Child spawn(const SpawnOptions& options);

}  // namespace godwit::process
