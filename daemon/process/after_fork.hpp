#pragma once
// Only what POSIX allows between fork() and exec() in a process with threads: system calls on memory that was prepared
// before the fork. No allocation, no lock, no exception, no stdio. Everything here runs in the child.

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace godwit::process::after_fork {

// What the child needs, prepared by the parent; all pointers stay valid until exec.
struct Plan {
  const char* program = nullptr;
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* directory = nullptr;  // null: stay
  int* fds = nullptr;  // fds[n] becomes descriptor n; all are above fd_count, so that no dup2() hits a source
  int fd_count = 0;
  int cgroup_fd = -1;  // cgroup.procs of the control group to join
  bool new_group = true;
  bool die_with_parent = true;
  pid_t parent = 0;
  bool switch_user = false;
  uid_t user = 0;
  gid_t group = 0;
};

// What went wrong in the child, sent to the parent through the error pipe.
struct Trouble {
  int step;  // index into kSteps
  int error;
};
enum Step { step_cgroup, step_group, step_signals, step_parent, step_fds, step_user, step_directory, step_exec };
inline constexpr const char* kSteps[] = {
    "join the control group", "setpgid", "sigprocmask", "prctl", "dup2", "setuid", "chdir", "exec"};

[[noreturn]] inline void give_up(int error_fd, int step, int error) {
  const Trouble trouble{step, error};
  [[maybe_unused]] const ssize_t written = ::write(error_fd, &trouble, sizeof trouble);
  ::_exit(127);
}

// A handler or an ignored signal of the daemon must not leak into the child, nor a blocked one.
inline bool reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) {
    if (signal != SIGKILL && signal != SIGSTOP)
      ::signal(signal, SIG_DFL);  // refused for the two that libc reserves, which is fine
  }
  sigset_t none;
  sigemptyset(&none);
  return ::sigprocmask(SIG_SETMASK, &none, nullptr) == 0;
}

// Puts the chosen descriptors at 0, 1, 2, ... and closes all others; `error_fd` moves just above them.
inline int arrange_fds(const Plan& plan, int error_fd) {
  for (int n = 0; n < plan.fd_count; ++n) {
    if (::dup2(plan.fds[n], n) < 0) return -1;
  }
  const int moved = plan.fd_count;
  if (::dup3(error_fd, moved, O_CLOEXEC) < 0) return -1;
  if (::syscall(SYS_close_range, static_cast<unsigned>(moved) + 1, ~0u, 0) != 0) return -1;
  return moved;
}

// The whole life of the child until exec.
[[noreturn]] inline void run(const Plan& plan, int error_fd) {
  if (plan.cgroup_fd >= 0 && ::write(plan.cgroup_fd, "0", 1) != 1) give_up(error_fd, step_cgroup, errno);
  if (plan.new_group && ::setpgid(0, 0) != 0) give_up(error_fd, step_group, errno);
  if (!reset_signals()) give_up(error_fd, step_signals, errno);
  const int moved = arrange_fds(plan, error_fd);
  if (moved < 0) give_up(error_fd, step_fds, errno);
  error_fd = moved;
  if (plan.switch_user) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(plan.group) != 0 || ::setuid(plan.user) != 0)
      give_up(error_fd, step_user, errno);
  }
  if (plan.die_with_parent) {
    // After setuid(), which clears it. The parent may have died before the call took effect: then nobody will ever send
    // the signal.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up(error_fd, step_parent, errno);
    if (::getppid() != plan.parent) ::_exit(127);
  }
  if (plan.directory && ::chdir(plan.directory) != 0) give_up(error_fd, step_directory, errno);
  ::execve(plan.program, plan.arguments, plan.environment);
  give_up(error_fd, step_exec, errno);
}

}  // namespace godwit::process::after_fork
