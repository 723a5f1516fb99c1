#include "process/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/error.hpp"

using namespace godwit;
using process::SpawnOptions;

namespace {

SpawnOptions shell(const std::string& script) {
  SpawnOptions options;
  options.program = "/bin/sh";
  options.arguments = {"-c", script};
  options.environment = {"PATH=/usr/bin:/bin"};
  return options;
}

struct Pipe {
  base::UniqueFd read;
  base::UniqueFd write;
  Pipe() {
    int fds[2];
    REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
    read = base::UniqueFd(fds[0]);
    write = base::UniqueFd(fds[1]);
  }
  // Everything until the last writer has gone.
  std::string drain() {
    write.reset();
    std::string text;
    char bytes[4096];
    ssize_t got = 0;
    while ((got = ::read(read.get(), bytes, sizeof bytes)) > 0) text.append(bytes, static_cast<std::size_t>(got));
    return text;
  }
};

// What a program prints.
std::string output_of(SpawnOptions options) {
  Pipe out;
  options.fds = {-1, out.write.get()};
  process::Child child = process::spawn(options);
  std::string text = out.drain();
  CHECK(child.wait().clean());
  return text;
}

std::size_t open_fds() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

}  // namespace

TEST_CASE("a child's exit code and its signal are told apart") {
  process::Child three = process::spawn(shell("exit 3"));
  CHECK(three.wait().text() == "exit code 3");
  CHECK(three.try_wait()->code == 3);
  process::Child killed = process::spawn(shell("kill -SEGV $$"));
  CHECK_THAT(killed.wait().text(), Catch::StartsWith("signal SIGSEGV"));
}

TEST_CASE("a program that cannot be started is an error that names it and leaves nothing behind") {
  const std::size_t before = open_fds();
  SpawnOptions options;
  options.program = "/no/such/program";
  CHECK_THROWS_WITH(process::spawn(options), Catch::Contains("/no/such/program") && Catch::Contains("No such file"));
  options.program = "relative";
  CHECK_THROWS_WITH(process::spawn(options), Catch::Contains("absolute"));
  options = shell("true");
  options.directory = "/no/such/directory";
  CHECK_THROWS_WITH(process::spawn(options), Catch::Contains("chdir"));
  CHECK(open_fds() == before);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("a child has the chosen descriptors and no other") {
  const base::UniqueFd extra(::open("/dev/null", O_RDONLY));  // not close-on-exec
  CHECK(output_of(shell("ls /proc/self/fd | sort -n | tr '\\n' ' '")) ==
        "0 1 2 3 ");  // 3 is the directory that ls reads
  Pipe out;
  Pipe third;
  SpawnOptions options = shell("echo to three >&3; echo to one; readlink /proc/$$/fd/0 /proc/$$/fd/2");
  options.fds = {-1, out.write.get(), -1, third.write.get()};
  process::Child child = process::spawn(options);
  CHECK(third.drain() == "to three\n");
  CHECK(out.drain() == "to one\n/dev/null\n/dev/null\n");
}

TEST_CASE("descriptors may be given in any order, even swapped") {
  // The parent's own 0 to 2 are among the sources: each must arrive before it is overwritten.
  Pipe a;
  Pipe b;
  SpawnOptions options = shell("echo one; echo two >&2");
  options.fds = {-1, b.write.get(), a.write.get()};
  process::Child child = process::spawn(options);
  CHECK(b.drain() == "one\n");
  CHECK(a.drain() == "two\n");
}

TEST_CASE("the environment and the directory are what was given") {
  SpawnOptions options = shell("echo $GODWIT_X; pwd; env | wc -l");
  options.environment.push_back("GODWIT_X=7");
  options.directory = "/usr";
  CHECK(output_of(options) == "7\n/usr\n3\n");  // PATH, GODWIT_X, PWD
}

TEST_CASE("signals that the parent blocks or ignores work in the child") {
  sigset_t term;
  sigset_t before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &term, &before);
  const auto old = ::signal(SIGTERM, SIG_IGN);
  process::Child child = process::spawn(shell("kill -TERM $$; exit 1"));
  const process::Exit exit = child.wait();
  ::signal(SIGTERM, old);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK((exit.by_signal && exit.code == SIGTERM));
}

TEST_CASE("killing the group takes the grandchildren along") {
  Pipe out;
  SpawnOptions options = shell("sleep 1000 & echo ready; wait");
  options.fds = {-1, out.write.get()};
  process::Child child = process::spawn(options);
  char byte = 0;
  REQUIRE(::read(out.read.get(), &byte, 1) == 1);
  child.signal_group(SIGKILL);
  CHECK(child.wait().code == SIGKILL);
  out.drain();  // ends only when the grandchild, which holds the pipe, is gone too
}

TEST_CASE("destruction kills and reaps") {
  Pipe out;
  {
    SpawnOptions options = shell("sleep 1000");
    options.fds = {-1, out.write.get()};
    const process::Child child = process::spawn(options);
  }
  CHECK(out.drain().empty());
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("the pidfd is readable once the process has ended") {
  process::Child child = process::spawn(shell("exit 0"));
  pollfd fd{child.pidfd(), POLLIN, 0};
  CHECK(::poll(&fd, 1, 10'000) == 1);
  CHECK(child.try_wait()->clean());
  child.signal_group(SIGKILL);  // does nothing now, whoever has the number
}

TEST_CASE("a child dies with its parent") {
  Pipe out;
  const pid_t middle = ::fork();
  if (middle == 0) {
    SpawnOptions options = shell("echo up; exec sleep 1000");
    options.fds = {-1, out.write.get()};
    process::Child child = process::spawn(options);
    char byte = 0;
    [[maybe_unused]] const ssize_t got = ::read(out.read.get(), &byte, 1);
    ::_exit(0);  // without any destructor
  }
  REQUIRE(::waitpid(middle, nullptr, 0) == middle);
  out.drain();  // ends only when the shell is gone
}

TEST_CASE("a child can run as somebody else") {
  if (::getuid() != 0) {
    WARN("skipped: only root can switch users");
    return;
  }
  SpawnOptions options = shell("id -u; id -g; id -G");
  options.user = process::User{65534, 65534};
  CHECK(output_of(options) == "65534\n65534\n65534\n");
}

TEST_CASE("five hundred children leave no descriptor and no zombie") {
  const std::size_t before = open_fds();
  for (int i = 0; i < 500; ++i) CHECK(process::spawn(shell("exit 0")).wait().clean());
  CHECK(open_fds() == before);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}
