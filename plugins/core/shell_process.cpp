#include "shell_process.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <godwit/sdk.hpp>

namespace core {
namespace {

// What the guard reports: how the program ended, or why it did not begin.
struct Report {
  int error;
  int status;
};

struct Pipes {
  int in[2];
  int out[2];
  int err[2];
  int report[2];
  int life[2];
};

// Between fork and exec only async-signal-safe calls are allowed: everything below `guard_*` works on memory that was
// prepared before.
struct Prepared {
  const char* program;
  char* const* argv;
  char* const* environment;
  const char* directory;
  Pipes pipes;
};

[[noreturn]] void guard_exec(const Prepared& prepared, int error_fd) {
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &by_default, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::chdir(prepared.directory) == 0) ::execve(prepared.program, prepared.argv, prepared.environment);
  const int error = errno;
  [[maybe_unused]] const ssize_t written = ::write(error_fd, &error, sizeof error);
  ::_exit(127);
}

// The descriptors of the guard: 0 to 2 for the program, 3 the report, 4 the life line, 5 and 6 a pipe for the error of
// exec.
void guard_arrange_fds(const Pipes& pipes) {
  const int wanted[] = {pipes.in[0], pipes.out[1], pipes.err[1], pipes.report[1], pipes.life[0]};
  int high[5];
  for (int i = 0; i < 5; ++i) high[i] = ::fcntl(wanted[i], F_DUPFD, 64);
  for (int i = 0; i < 5; ++i) ::dup3(high[i], i, i > 2 ? O_CLOEXEC : 0) < 0 ? ::_exit(126) : void();
  ::syscall(SYS_close_range, 5u, ~0u, 0);
}

[[noreturn]] void guard_run(const Prepared& prepared) {
  ::setpgid(0, 0);
  guard_arrange_fds(prepared.pipes);
  int error_pipe[2];
  if (::pipe2(error_pipe, O_CLOEXEC) != 0) ::_exit(126);
  const pid_t program = ::_Fork();
  if (program == 0) guard_exec(prepared, error_pipe[1]);
  ::close(error_pipe[1]);
  for (int fd = 0; fd < 3; ++fd) ::close(fd);
  Report report{program < 0 ? errno : 0, 0};
  if (program > 0 && ::read(error_pipe[0], &report.error, sizeof report.error) <= 0) report.error = 0;
  // The end of the program closes its own end of this pipe too, but its children may hold the others open: only waiting
  // tells.
  const int pidfd = program > 0 ? static_cast<int>(::syscall(SYS_pidfd_open, program, 0)) : -1;
  pollfd fds[] = {{4, POLLIN, 0}, {pidfd, POLLIN, 0}};
  while (program > 0) {
    ::poll(fds, 2, -1);
    if (fds[0].revents != 0)
      ::kill(0, SIGKILL);  // the plugin is gone or wants the end: everybody of the group goes, the guard too
    if (::waitpid(program, &report.status, WNOHANG) == program) break;
  }
  [[maybe_unused]] const ssize_t written = ::write(3, &report, sizeof report);
  ::_exit(0);
}

void make_pipe(int (&fds)[2]) {
  if (::pipe2(fds, O_CLOEXEC) != 0) godwit::retry("no_resources", std::string("pipe: ") + std::strerror(errno));
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (const auto& string : strings) result.push_back(const_cast<char*>(string.c_str()));
  result.push_back(nullptr);
  return result;
}

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

// Hands over what is there; closes at the end of the stream.
void drain(int& fd, const ShellProcess::Sink& sink) {
  char bytes[16 * 1024];
  const ssize_t got = ::read(fd, bytes, sizeof bytes);
  if (got > 0) sink({bytes, static_cast<std::size_t>(got)});
  if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) close_fd(fd);
}

}  // namespace

ShellProcess::ShellProcess(const ShellCommand& command) {
  const auto argv = pointers(command.argv);
  const auto environment = pointers(command.environment);
  Prepared prepared{command.argv.front().c_str(), argv.data(), environment.data(), command.directory.c_str(), {}};
  Pipes& pipes = prepared.pipes;
  for (auto* pipe : {&pipes.in, &pipes.out, &pipes.err, &pipes.report, &pipes.life}) make_pipe(*pipe);
  stdin_ = pipes.in[1];
  stdout_ = pipes.out[0];
  stderr_ = pipes.err[0];
  report_ = pipes.report[0];
  life_ = pipes.life[1];
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // no handler of the process may run in the child
  guard_ = ::_Fork();
  if (guard_ == 0) guard_run(prepared);
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  for (const int fd : {pipes.in[0], pipes.out[1], pipes.err[1], pipes.report[1], pipes.life[0]}) ::close(fd);
  for (const int fd : {stdin_, stdout_, stderr_}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  if (guard_ < 0) {
    for (int* fd : {&stdin_, &stdout_, &stderr_, &report_, &life_}) close_fd(*fd);
    godwit::retry("no_resources", std::string("fork: ") + std::strerror(error));
  }
}

ShellProcess::~ShellProcess() {
  kill_group();
  for (int* fd : {&stdin_, &stdout_, &stderr_, &report_, &life_}) close_fd(*fd);
  while (::waitpid(guard_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// The guard is not reaped before destruction, so the number is still the group's. It may not have made the group yet:
// its life line does the rest.
void ShellProcess::kill_group() {
  close_fd(life_);
  ::kill(-guard_, SIGKILL);
}

void ShellProcess::feed(std::string_view& input) {
  while (!input.empty()) {
    const ssize_t written = ::write(stdin_, input.data(), input.size());
    if (written > 0) {
      input.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      break;  // a program need not read its input
    }
  }
  close_fd(stdin_);
}

void ShellProcess::communicate(std::string_view input, const Sink& on_stdout, const Sink& on_stderr,
                               const std::function<bool()>& keep_going) {
  Report report{};
  bool reported = false;
  while (true) {
    pollfd fds[] = {
        {stdin_, POLLOUT, 0}, {stdout_, POLLIN, 0}, {stderr_, POLLIN, 0}, {reported ? -1 : report_, POLLIN, 0}};
    const int ready = ::poll(fds, 4, reported ? 0 : 20);
    if (!keep_going()) return kill_group();
    if (fds[0].revents != 0) feed(input);
    if (fds[1].revents != 0) drain(stdout_, on_stdout);
    if (fds[2].revents != 0) drain(stderr_, on_stderr);
    // A child that the program left behind may hold the pipes: what it prints after the program's end is nobody's.
    if (reported && (ready == 0 || (stdout_ < 0 && stderr_ < 0))) break;
    if (fds[3].revents != 0) {
      if (::read(report_, &report, sizeof report) != sizeof report)
        godwit::fail("killed", "the program's process group was killed from outside");
      reported = true;
      close_fd(stdin_);
    }
  }
  if (report.error != 0)
    godwit::fail("not_started", std::string("the program cannot be started: ") + std::strerror(report.error));
  status_ = report.status;
}

}  // namespace core
