#include "process/child.hpp"

#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "process/after_fork.hpp"

namespace godwit::process {
namespace {

std::chrono::microseconds duration_of(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

base::Error system_error(const std::string& program, const std::string& what, int error) {
  return base::Error(base::ErrorKind::failed, "cannot start " + program + ": " + what + ": " + std::strerror(error));
}

base::UniqueFd checked(int fd, const std::string& program, const std::string& what) {
  if (fd < 0) throw system_error(program, what, errno);
  return base::UniqueFd(fd);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (const auto& string : strings) result.push_back(const_cast<char*>(string.c_str()));
  result.push_back(nullptr);
  return result;
}

// Copies of the chosen descriptors above all targets, so that arranging them in the child never overwrites one that is
// still needed.
std::vector<base::UniqueFd> staged_fds(const SpawnOptions& options, std::size_t count) {
  const base::UniqueFd null = checked(::open("/dev/null", O_RDWR | O_CLOEXEC), options.program, "open /dev/null");
  std::vector<base::UniqueFd> result;
  for (std::size_t n = 0; n < count; ++n) {
    const int source = n < options.fds.size() && options.fds[n] >= 0 ? options.fds[n] : null.get();
    result.push_back(checked(::fcntl(source, F_DUPFD_CLOEXEC, static_cast<int>(count) + 1), options.program, "dup"));
  }
  return result;
}

// Blocks every signal while the child is made, so that none of the daemon's handlers can run in it.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

pid_t fork_and_run(const after_fork::Plan& plan, int error_fd) {
  const SignalsBlocked blocked;
  const pid_t pid = ::fork();
  if (pid == 0) after_fork::run(plan, error_fd);
  return pid;
}

std::optional<after_fork::Trouble> read_trouble(int fd) {
  after_fork::Trouble trouble{};
  ssize_t got = 0;
  do {
    got = ::read(fd, &trouble, sizeof trouble);
  } while (got < 0 && errno == EINTR);
  return got == sizeof trouble ? std::optional(trouble) : std::nullopt;
}

}  // namespace

std::string Exit::text() const {
  if (!by_signal) return "exit code " + std::to_string(code);
  const char* abbreviation = ::sigabbrev_np(code);
  const char* description = ::sigdescr_np(code);
  if (!abbreviation || !description) return "signal " + std::to_string(code);
  return std::string("signal SIG") + abbreviation + " (" + description + ")";
}

Child::Child(pid_t pid, base::UniqueFd pidfd, bool own_group, bool kill_on_destruction)
    : pid_(pid), pidfd_(std::move(pidfd)), own_group_(own_group), kill_on_destruction_(kill_on_destruction) {}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      own_group_(other.own_group_),
      kill_on_destruction_(other.kill_on_destruction_),
      exit_(other.exit_) {}

Child& Child::operator=(Child&& other) noexcept {
  Child moved(std::move(other));
  std::swap(pid_, moved.pid_);
  std::swap(pidfd_, moved.pidfd_);
  std::swap(own_group_, moved.own_group_);
  std::swap(kill_on_destruction_, moved.kill_on_destruction_);
  std::swap(exit_, moved.exit_);
  return *this;
}

Child::~Child() {
  if (!pidfd_ || exit_ || !kill_on_destruction_) return;
  signal_group(SIGKILL);
  reap(true);
}

void Child::signal(int number) const {
  if (pidfd_ && !exit_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

void Child::signal_group(int number) const {
  if (!pidfd_ || exit_) return;
  if (own_group_) ::kill(-pid_, number);
  signal(number);
}

std::optional<Exit> Child::reap(bool wait) {
  if (exit_) return exit_;
  siginfo_t info{};
  rusage usage{};
  int result = 0;
  do {
    // A pidfd that somebody has made non-blocking makes waitid() so as well; poll() waits in any case.
    pollfd end{pidfd_.get(), POLLIN, 0};
    if (wait) ::poll(&end, 1, -1);
    // The system call itself, because the library's function does not pass on what the process used.
    result = static_cast<int>(::syscall(SYS_waitid, P_PIDFD, pidfd_.get(), &info, WEXITED | WNOHANG, &usage));
  } while ((result != 0 && errno == EINTR) || (result == 0 && info.si_pid == 0 && wait));
  if (result != 0) {
    // Somebody else reaped it, which only a SIGCHLD set to "ignore" does: the process is gone and its status with it.
    exit_ = Exit{false, 127, 0, {}};
  } else if (info.si_pid != 0) {
    exit_ = Exit{info.si_code != CLD_EXITED, info.si_status, static_cast<std::uint64_t>(usage.ru_maxrss) * 1024,
                 duration_of(usage.ru_utime) + duration_of(usage.ru_stime)};
  }
  return exit_;
}

std::optional<Exit> Child::try_wait() {
  return reap(false);
}

Exit Child::wait() {
  return *reap(true);
}

Child spawn(const SpawnOptions& options) {
  if (options.program.empty() || options.program.front() != '/')
    throw base::Error(base::ErrorKind::failed,
                      "cannot start \"" + options.program + "\": the path of a program must be absolute");
  std::vector<std::string> words{options.program};
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  const auto arguments = pointers(words);
  const auto environment = pointers(options.environment);
  const std::size_t count = std::max<std::size_t>(options.fds.size(), 3);
  const auto staged = staged_fds(options, count);
  std::vector<int> fds;
  for (const auto& fd : staged) fds.push_back(fd.get());
  int error_pipe[2];
  if (::pipe2(error_pipe, O_CLOEXEC) != 0) throw system_error(options.program, "pipe", errno);
  const base::UniqueFd error_read(error_pipe[0]);
  base::UniqueFd error_write(error_pipe[1]);
  base::UniqueFd error_high =
      checked(::fcntl(error_write.get(), F_DUPFD_CLOEXEC, static_cast<int>(count) + 1), options.program, "dup");
  error_write.reset();

  after_fork::Plan plan;
  plan.program = options.program.c_str();
  plan.arguments = arguments.data();
  plan.environment = environment.data();
  plan.directory = options.directory.empty() ? nullptr : options.directory.c_str();
  plan.fds = fds.data();
  plan.fd_count = static_cast<int>(count);
  plan.cgroup_fd = options.cgroup;
  plan.new_group = options.new_group;
  plan.die_with_parent = options.die_with_parent;
  plan.parent = ::getpid();
  if (options.user) {
    plan.switch_user = true;
    plan.user = options.user->user;
    plan.group = options.user->group;
  }
  const pid_t pid = fork_and_run(plan, error_high.get());
  if (pid < 0) throw system_error(options.program, "fork", errno);
  error_high.reset();
  // The child cannot be reaped by anybody but us, so its number still means it.
  base::UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const int error = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    throw system_error(options.program, "pidfd_open", error);
  }
  Child child(pid, std::move(pidfd), options.new_group, options.kill_on_destruction);
  if (const auto trouble = read_trouble(error_read.get())) {
    child.wait();
    throw system_error(options.program, after_fork::kSteps[trouble->step], trouble->error);
  }
  return child;
}

}  // namespace godwit::process
