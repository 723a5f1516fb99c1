// Goal: the profiles hold without any plugin in between. Method: a child confines itself and tries; its end tells.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>
#include <thread>

#include "process/sandbox.hpp"

using namespace godwit;
using model::Grants;

namespace {

struct End {
  int code = -1;
  int signal = 0;
};

// What a confined process made of `act`: its exit code, or the signal that ended it.
End confined(const Grants& grants, const std::function<int()>& act) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    process::confine(grants, {});
    ::_exit(act());
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? End{-1, WTERMSIG(status)} : End{WEXITSTATUS(status), 0};
}

Grants script() {
  Grants grants;
  grants.profile = model::SandboxProfile::script;
  return grants;
}

int opened(const char* path) {
  return ::open(path, O_RDONLY | O_CLOEXEC) >= 0 ? 0 : errno;
}

}  // namespace

TEST_CASE("a script computes, has threads and answers on what it was given") {
  int pipe_fds[2];
  REQUIRE(::pipe(pipe_fds) == 0);
  const End end = confined(script(), [&] {
    std::string text;
    std::thread([&] { text.assign(1 << 20, 'x'); }).join();
    return ::write(pipe_fds[1], text.data(), 3) == 3 ? 7 : 1;
  });
  CHECK(end.code == 7);
  ::close(pipe_fds[0]);
  ::close(pipe_fds[1]);
}

TEST_CASE("a script sees no file, whatever else it was granted") {
  Grants grants = script();
  grants.files.read = {"/"};
  for (const char* path : {"/etc/passwd", "/usr/bin/env", "/proc/self/status", "/dev/null"}) {
    INFO(path);
    CHECK(confined(grants, [&] { return opened(path); }).code == EACCES);
  }
}

TEST_CASE("a script that reaches for what it has no business with is killed") {
  Grants grants = script();
  grants.network.any = grants.exec = true;
  CHECK(confined(grants, [] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }).signal == SIGSYS);
  CHECK(confined(grants, [] { return ::execl("/usr/bin/true", "true", nullptr); }).signal == SIGSYS);
  CHECK(confined(grants, [] { return ::_Fork() == 0 ? ::_exit(0), 0 : 0; }).signal == SIGSYS);
  CHECK(confined(grants, [] { return ::kill(::getppid(), 0); }).signal == SIGSYS);
  CHECK(confined(grants, [] {
          return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
        }).signal == SIGSYS);
}

TEST_CASE("memory and descriptors end where the grants say") {
  Grants grants;
  grants.open_files = 32;
  CHECK(confined(grants, [] {
          for (int i = 0; i < 64; ++i) {
            if (::dup(0) < 0) return errno;
          }
          return 0;
        }).code == EMFILE);
  grants.memory = 64u << 20;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(confined(grants, [] {
          return ::mmap(nullptr, 128u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
                     ? errno
                     : 0;
        }).code == ENOMEM);
#endif
  grants.cpu_seconds = 1;
  CHECK(confined(grants, [] {
          for (volatile bool busy = true; busy;) {
          }
          return 0;
        }).signal == SIGXCPU);
}
