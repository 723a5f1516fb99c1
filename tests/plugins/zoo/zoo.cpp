// Bad plugins, one for each way to be bad: compiled once for each animal with -DANIMAL=name. What is expected of each
// stands in tests/support/zoo.cpp. Only the C ABI is used, as somebody would who does not care.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>

#include "../unit.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define UNUSED [[maybe_unused]] static

namespace {

gw_view view(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// What the sandbox or the host said to it.
gw_status refused(gw_call* call, const char* what) {
  const std::string message = std::string(what) + ": " + strerrorname_np(errno);
  host->fail(call, text("refused"), view(message), -1);
  return GW_FAILED;
}

gw_status give(gw_call* call, const std::string& json) {
  const gw_status status = host->output(call, view(json));
  if (status == GW_OK) return GW_OK;
  const std::string message = "output() said " + std::to_string(status);
  host->fail(call, text("output"), view(message), -1);
  return GW_FAILED;
}

// Whatever a sanitizer or a runtime may have made of it, the kernel's own reaction is wanted.
void by_default(int number) {
  signal(number, SIG_DFL);
}

// --- ends
UNUSED gw_status segv(gw_call*, const std::string&) {
  fputs("about to touch what is not mine\n", stderr);
  by_default(SIGSEGV);
  volatile uintptr_t address = 64;
  *reinterpret_cast<volatile int*>(address) = 1;
  return GW_OK;
}
UNUSED gw_status aborts(gw_call*, const std::string&) {
  abort();
}
UNUSED gw_status throws(gw_call*, const std::string&) {
  throw std::runtime_error("thrown over the fence");
}
UNUSED gw_status exits(gw_call*, const std::string&) {
  exit(3);
}
UNUSED gw_status vanishes(gw_call*, const std::string&) {
  _exit(0);
}
UNUSED gw_status divides(gw_call*, const std::string&) {
  by_default(SIGFPE);
  raise(SIGFPE);
  return GW_OK;
}
UNUSED gw_status breaks_pipe(gw_call*, const std::string&) {
  int fds[2];
  if (pipe(fds) != 0) return GW_FAILED;
  close(fds[0]);
  by_default(SIGPIPE);
  return write(fds[1], "x", 1) == 1 ? GW_OK : GW_FAILED;
}
UNUSED gw_status sets_alarm(gw_call*, const std::string&) {
  const itimerval soon{{0, 0}, {0, 1000}};
  setitimer(ITIMER_REAL, &soon, nullptr);
  for (;;) pause();
}
[[gnu::noinline]] int deeper(volatile bool* on) {
  volatile char here[4096];
  here[0] = *on;
  return *on ? deeper(on) + here[0] : 0;
}
UNUSED gw_status overflows(gw_call*, const std::string&) {
  by_default(SIGSEGV);
  volatile bool on = true;
  return deeper(&on);
}
UNUSED gw_status passes_null(gw_call* call, const std::string&) {
  by_default(SIGSEGV);
  return host->output(call, {nullptr, 16});
}

// --- does not end
UNUSED gw_status hangs(gw_call*, const std::string&) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  for (;;) pause();
}
UNUSED gw_status spins(gw_call*, const std::string&) {
  for (volatile bool busy = true; busy;) {
  }
  return GW_OK;
}
// Nobody hears of it when it is at its end.
UNUSED gw_status ignores_xcpu(gw_call* call, const std::string& input) {
  signal(SIGXCPU, SIG_IGN);
  return spins(call, input);
}
UNUSED gw_status swallows_segv(gw_call* call, const std::string& input) {
  signal(SIGSEGV, [](int) {});
  volatile uintptr_t address = 64;
  *reinterpret_cast<volatile int*>(address) = 1;
  return spins(call, input);
}
void hang_at_exit() {
  for (;;) pause();
}
UNUSED gw_status exits_slowly(gw_call*, const std::string&) {
  atexit(hang_at_exit);
  exit(3);
}
UNUSED gw_status stops_itself(gw_call*, const std::string&) {
  raise(SIGSTOP);
  return GW_OK;
}
UNUSED gw_status says_nothing(gw_call* call, const std::string&) {
  for (;;) {
    host->log(call, GW_LOG_INFO, text("still there"), {nullptr, 0});
    usleep(20'000);
  }
}

// --- takes too much
UNUSED gw_status leaks_memory(gw_call*, const std::string&) {
  by_default(SIGSEGV);
  static void* volatile kept;
  for (;;) {
    kept = malloc(1 << 20);
    memset(kept, 1, 1 << 20);
  }
}
// What the limit of a process's own memory does not count.
gw_status hoards(gw_call* call, int flags) {
  const size_t size = 64u << 20;
  for (int i = 0; i < 16; ++i) {
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    if (memory == MAP_FAILED) return refused(call, "mmap");
    memset(memory, 1, size);
  }
  return give(call, R"("a GiB")");
}
UNUSED gw_status hoards_shared(gw_call* call, const std::string&) {
  return hoards(call, MAP_SHARED);
}
UNUSED gw_status hoards_stacks(gw_call* call, const std::string&) {
  return hoards(call, MAP_PRIVATE | MAP_GROWSDOWN);
}
void* spin(void*) {
  volatile bool never = false;
  while (!never) {
  }
  return nullptr;
}
UNUSED gw_status spins_everywhere(gw_call*, const std::string&) {
  for (int i = 0; i < 64; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, spin, nullptr) == 0) pthread_detach(thread);
  }
  spin(nullptr);
  return GW_OK;
}
UNUSED gw_status leaks_descriptors(gw_call* call, const std::string&) {
  while (open("/dev/null", O_RDONLY) >= 0) {
  }
  return refused(call, "open");
}
void* sleep_for_ever(void*) {
  for (;;) pause();
}
UNUSED gw_status leaks_threads(gw_call* call, const std::string&) {
  for (int i = 0; i < 300; ++i) {
    pthread_t thread;
    errno = pthread_create(&thread, nullptr, sleep_for_ever, nullptr);
    if (errno != 0) return refused(call, "pthread_create");
  }
  return give(call, R"("300 threads")");
}
UNUSED gw_status forks(gw_call* call, const std::string&) {
  for (;;) {
    if (fork() < 0) return refused(call, "fork");
  }
}
// Children in its own group and out of it, orphans and not.
UNUSED gw_status leaves_children(gw_call* call, const std::string&) {
  for (int i = 0; i < 20; ++i) {
    const pid_t child = fork();
    if (child < 0) return refused(call, "fork");
    if (child > 0) continue;
    if (i % 2 == 0) setsid();
    if (i % 3 == 0 && fork() > 0) _exit(0);
    for (;;) pause();
  }
  return give(call, R"("20 children")");
}

// Both come back from the call, and both would answer it.
UNUSED gw_status forks_midway(gw_call* call, const std::string&) {
  const bool first = fork() > 0;
  return give(call, first ? R"("the first")" : R"("the copy")");
}
UNUSED gw_status forks_loading(gw_call* call, const std::string&) {
  return give(call, R"("loaded")");
}

// --- disturbs
UNUSED gw_status prints(gw_call* call, const std::string&) {
  for (int i = 0; i < 2000; ++i) printf("line %d that nobody asked for\n", i);
  const char frame[] = "\x18\0\0\0\x06\0\0\0garbage";
  if (write(STDOUT_FILENO, frame, sizeof frame) < 0) return GW_FAILED;
  return give(call, R"("printed")");
}
UNUSED gw_status closes_3(gw_call* call, const std::string&) {
  close(3);
  return give(call, R"("closed")");
}
UNUSED gw_status closes_all(gw_call*, const std::string&) {
  for (int fd = 3; fd < 1024; ++fd) close(fd);
  for (;;) pause();
}
UNUSED gw_status writes_frames(gw_call*, const std::string&) {
  for (int fd = 3; fd < 1024; ++fd) {
    struct stat status {};
    if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) && write(fd, "this is no frame, is it?", 24) < 0)
      return GW_FAILED;
  }
  for (;;) pause();
}
// All sockets of the process, one of which is the daemon's.
template <typename Work>
void each_socket(const Work& work) {
  for (int fd = 3; fd < 1024; ++fd) {
    struct stat status {};
    if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode)) work(fd);
  }
}
// Nested calls without waiting for one's end, in the name of the first call that its process has.
UNUSED gw_status asks_at_once(gw_call*, const std::string&) {
  std::string frame;
  const auto number = [&](uint64_t value, size_t size) { frame.append(reinterpret_cast<const char*>(&value), size); };
  number(24 + 3 * 4 + 4 + 2 + 1, 4);  // bytes
  number(11, 2);                      // invoke
  number(0, 1);
  number(3, 1);  // blobs
  number(1, 8);  // the call
  number(0, 4);
  number(1, 4);  // the question
  for (const char* blob : {"noop", "{}", "a"}) {
    number(strlen(blob), 4);
    frame += blob;
  }
  each_socket([&](int fd) {
    while (write(fd, frame.data(), frame.size()) > 0) {
    }
  });
  for (;;) pause();
}
// Takes what the daemon sends to its host.
UNUSED gw_status steals_frames(gw_call*, const std::string&) {
  for (;;) {
    each_socket([](int fd) {
      char bytes[4096];
      (void)!recv(fd, bytes, sizeof bytes, 0);
    });
  }
}
void* abort_later(void*) {
  usleep(500'000);
  abort();
}
UNUSED gw_status outlives(gw_call* call, const std::string&) {
  pthread_t thread;
  pthread_create(&thread, nullptr, abort_later, nullptr);
  pthread_detach(thread);
  return give(call, R"("done, it says")");
}
UNUSED gw_status returns_nonsense(gw_call*, const std::string&) {
  return 12345;
}
UNUSED gw_status answers_twice(gw_call* call, const std::string&) {
  give(call, "1");
  return give(call, "2");
}
UNUSED gw_status says_much(gw_call* call, const std::string&) {
  return give(call, "\"" + std::string(40u << 20, 'x') + "\"");
}
UNUSED gw_status says_no_utf8(gw_call* call, const std::string&) {
  give(call, "\"\xff\xfe\"");
  return GW_OK;
}
UNUSED gw_status says_deep(gw_call* call, const std::string&) {
  give(call, std::string(10'000, '[') + std::string(10'000, ']'));
  return GW_OK;
}
UNUSED gw_status says_no_json(gw_call* call, const std::string&) {
  give(call, "{so: what}");
  return GW_OK;
}
UNUSED gw_status emits_much(gw_call* call, const std::string&) {
  const std::string row = "\"" + std::string(1u << 20, 'x') + "\"";
  for (int i = 0; i < 64; ++i) {
    if (const gw_status status = host->emit(call, text("rows"), view(row)); status != GW_OK) {
      host->fail(call, text("emit"), view("emit() said " + std::to_string(status)), -1);
      return GW_FAILED;
    }
  }
  return GW_OK;
}

// More than there is anywhere.
UNUSED gw_status emits_beyond(gw_call* call, const std::string&) {
  static const uint8_t byte = '1';
  const gw_view row{&byte, uint64_t{1} << 40};
  gw_buf* result = nullptr;
  std::string said;
  for (const gw_status status : {host->emit(call, text("rows"), row), host->checkpoint_put(call, text("key"), row),
                                 host->invoke(call, text("noop"), row, {nullptr, 0}, &result), host->output(call, row)})
    said += std::to_string(status);
  return give(call, "\"" + said + "\"");
}
UNUSED gw_status floods_progress(gw_call* call, const std::string&) {
  for (uint64_t i = 0; i < 1'000'000; ++i) host->progress(call, i, 1'000'000, text("{\"all\": \"the same\"}"));
  return give(call, R"("a million")");
}

// --- reaches for what is not its own; the input is a path or a port where it needs one
UNUSED gw_status reads_passwd(gw_call* call, const std::string&) {
  return open("/etc/passwd", O_RDONLY) < 0 ? refused(call, "/etc/passwd") : give(call, R"("open")");
}
UNUSED gw_status reads_environment(gw_call* call, const std::string&) {
  const std::string path = "/proc/" + std::to_string(getppid()) + "/environ";
  return open(path.c_str(), O_RDONLY) < 0 ? refused(call, "environ") : give(call, R"("open")");
}
UNUSED gw_status connects(gw_call* call, const std::string&) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(22);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return refused(call, "connect");
  return give(call, R"("connected")");
}
UNUSED gw_status executes(gw_call* call, const std::string&) {
  char* const argv[] = {const_cast<char*>("sh"), nullptr};
  execv("/bin/sh", argv);
  return refused(call, "execv");
}
UNUSED gw_status traces(gw_call* call, const std::string&) {
  return ptrace(PTRACE_ATTACH, getppid(), nullptr, nullptr) != 0 ? refused(call, "ptrace") : give(call, R"("traced")");
}
UNUSED gw_status kills_parent(gw_call* call, const std::string&) {
  return kill(getppid(), SIGKILL) != 0 ? refused(call, "kill") : give(call, R"("killed")");
}
UNUSED gw_status raises_limits(gw_call* call, const std::string&) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max = limit.rlim_max + 1;
  return setrlimit(RLIMIT_NOFILE, &limit) != 0 ? refused(call, "setrlimit") : give(call, R"("raised")");
}
UNUSED gw_status outlives_daemon(gw_call* call, const std::string&) {
  return prctl(PR_SET_PDEATHSIG, 0) != 0 ? refused(call, "prctl") : give(call, R"("for ever")");
}
UNUSED gw_status unlinks(gw_call* call, const std::string& input) {
  const std::string path = input.substr(1, input.size() - 2);
  return unlink(path.c_str()) != 0 ? refused(call, "unlink") : give(call, R"("unlinked")");
}

// --- already bad when it is loaded
UNUSED gw_status wrong_abi(gw_call*, const std::string&) {
  return GW_OK;
}
UNUSED gw_status lies(gw_call*, const std::string&) {
  return GW_OK;
}
UNUSED gw_status dies_loading(gw_call*, const std::string&) {
  return GW_OK;
}
UNUSED gw_status exits_loading(gw_call*, const std::string&) {
  return GW_OK;
}
UNUSED gw_status refuses_to_open(gw_call*, const std::string&) {
  return GW_OK;
}
UNUSED gw_status dies_closing(gw_call* call, const std::string&) {
  return give(call, R"("and now close")");
}

bool is(const char* animal) {
  return strcmp(animal, TEXT(ANIMAL)) == 0;
}

gw_status run(void*, gw_call* call, gw_view, gw_view input) {
  return ANIMAL(call, std::string(reinterpret_cast<const char*>(input.ptr), input.len));
}

gw_status open_unit(const gw_host* table, gw_call* call, gw_view, void**) {
  host = table;
  if (!is("refuses_to_open")) return GW_OK;
  table->fail(call, text("mood"), text("not today"), -1);
  return GW_FAILED;
}

void close_unit(void*) {
  if (is("dies_closing")) abort();
}

const gw_unit unit = {sizeof(gw_unit), GW_KIND_STAGE, is("lies") ? "another" : "zoo." TEXT(ANIMAL),
                      open_unit,       run,           close_unit};
const gw_unit* const units[] = {&unit};
const gw_plugin plugin = {sizeof(gw_plugin), is("wrong_abi") ? 7u : GW_ABI_MAJOR, GW_ABI_MINOR, 1, units, nullptr};

}  // namespace

const gw_plugin* godwit_plugin_v1(const gw_host*, gw_call*) {
  if (is("dies_loading")) abort();
  if (is("exits_loading")) exit(0);
  if (is("forks_loading")) (void)!fork();
  return &plugin;
}
