// Tries what {"try": ..., ...} says and gives {"ok": true} or {"ok": false, "error": "EPERM"}: what the sandbox lets
// through.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <godwit/sdk.hpp>
#include <map>

namespace json = godwit::json;

namespace {

// Each trial returns a negative number with errno set when it was refused.
using Trial = long (*)(const json::object& args);

int port_of(const json::object& args) {
  return args.contains("port") ? args.at("port").to_number<int>() : 9;
}

sockaddr_in address_of(const json::object& args) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port_of(args)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

const sockaddr* generic(const void* address) {
  return static_cast<const sockaddr*>(address);
}

// Of an internet socket: connects, which for UDP sends nothing.
long connect_internet(const json::object& args, int type, int protocol) {
  const int fd = ::socket(AF_INET, type, protocol);
  if (fd < 0) return fd;
  const sockaddr_in address = address_of(args);
  return ::connect(fd, generic(&address), sizeof address);
}

long connect_unix(const json::object& args, bool abstract, int type) {
  const int fd = ::socket(AF_UNIX, type, 0);
  if (fd < 0) return fd;
  const std::string name(args.at("path").as_string());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + (abstract ? 1 : 0), name.data(), name.size());
  return ::connect(fd, generic(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 1 : 0)));
}

// A datagram needs no connect(), and a pair of sockets no socket().
long send_from_pair(const json::object& args) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) != 0) return -1;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name(args.at("path").as_string());
  std::memcpy(address.sun_path, name.data(), name.size());
  return ::sendto(fds[0], "x", 1, 0, generic(&address), sizeof address);
}

long fast_open(const json::object& args) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return fd;
  const sockaddr_in address = address_of(args);
  const long sent = ::sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, generic(&address), sizeof address);
  return sent < 0 && errno == ECONNREFUSED ? 0 : sent;
}

long serve(const json::object& args, bool bound) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return fd;
  const sockaddr_in address = address_of(args);
  if (bound && ::bind(fd, generic(&address), sizeof address) != 0) return -1;
  return ::listen(fd, 1);
}

long open_file(const json::object& args, int flags) {
  const std::string path(args.at("path").as_string());
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) return fd;
  char byte = 'x';
  const long done = (flags & O_ACCMODE) == O_RDONLY ? ::read(fd, &byte, 1) : ::write(fd, &byte, 1);
  ::close(fd);
  return done;
}

long run_program(const json::object& args) {
  const std::string path(args.at("path").as_string());
  const pid_t child = ::fork();
  if (child < 0) return child;
  if (child == 0) {
    const char* const argv[] = {path.c_str(), nullptr};
    ::execv(path.c_str(), const_cast<char* const*>(argv));
    ::_exit(errno);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
  return errno == 0 ? 0 : -1;
}

// In place: no fork that could be refused first.
long become_program(const json::object& args) {
  const std::string path(args.at("path").as_string());
  const char* const argv[] = {path.c_str(), nullptr};
  return ::execv(path.c_str(), const_cast<char* const*>(argv));
}

long read_memory_of_parent(const json::object&) {
  char bytes[16];
  const iovec mine{bytes, sizeof bytes};
  const iovec theirs{reinterpret_cast<void*>(0x400000), sizeof bytes};
  return ::process_vm_readv(::getppid(), &mine, 1, &theirs, 1, 0);
}

long raise_limit(const json::object&) {
  rlimit now{};
  ::getrlimit(RLIMIT_NOFILE, &now);
  const rlimit more{now.rlim_max + 1, now.rlim_max + 1};
  return ::setrlimit(RLIMIT_NOFILE, &more);
}

long lower_limit_of_parent(const json::object&) {
  const rlimit none{0, 0};
  return ::prlimit(::getppid(), RLIMIT_NOFILE, &none, nullptr);
}

// The environment of the process that started this one.
long read_parents_environment(const json::object&) {
  return open_file({{"path", "/proc/" + std::to_string(::getppid()) + "/environ"}}, O_RDONLY);
}

const std::map<std::string, Trial, std::less<>> kTrials{
    {"tcp", [](const json::object& a) { return connect_internet(a, SOCK_STREAM, 0); }},
    {"mptcp", [](const json::object& a) { return connect_internet(a, SOCK_STREAM, 262); }},
    {"tcp_fast_open", fast_open},
    {"udp", [](const json::object& a) { return connect_internet(a, SOCK_DGRAM, 0); }},
    {"raw", [](const json::object& a) { return connect_internet(a, SOCK_RAW, IPPROTO_ICMP); }},
    {"listen", [](const json::object& a) { return serve(a, true); }},
    {"listen_unbound", [](const json::object& a) { return serve(a, false); }},
    {"unix", [](const json::object& a) { return connect_unix(a, false, SOCK_STREAM); }},
    {"abstract", [](const json::object& a) { return connect_unix(a, true, SOCK_STREAM); }},
    {"unix_pair", send_from_pair},
    {"netlink", [](const json::object&) { return long{::socket(AF_NETLINK, SOCK_RAW, 0)}; }},
    {"io_uring", [](const json::object&) { return ::syscall(SYS_io_uring_setup, 8, nullptr); }},
    {"read", [](const json::object& a) { return open_file(a, O_RDONLY); }},
    {"write", [](const json::object& a) { return open_file(a, O_WRONLY | O_CREAT); }},
    {"unlink", [](const json::object& a) { return long{::unlink(a.at("path").as_string().c_str())}; }},
    {"run", run_program},
    {"become", become_program},
    {"fork",
     [](const json::object&) {
       const pid_t child = ::fork();
       if (child == 0) ::_exit(0);
       return child < 0 ? -1 : long{::waitpid(child, nullptr, 0)};
     }},
    {"kill_parent", [](const json::object&) { return long{::kill(::getppid(), SIGKILL)}; }},
    {"ptrace", [](const json::object&) { return ::ptrace(PTRACE_ATTACH, ::getppid(), nullptr, nullptr); }},
    {"memory_of_parent", read_memory_of_parent},
    {"environment_of_parent", read_parents_environment},
    {"raise_limit", raise_limit},
    {"limit_parent", lower_limit_of_parent},
    {"unshare", [](const json::object&) { return ::syscall(SYS_unshare, 0x10000000); }},
    {"new_call", [](const json::object&) { return ::syscall(9999); }},
};

}  // namespace

class Probe {
 public:
  explicit Probe(const json::object&) {}

  json::value run(godwit::Call&, const json::object& args) {
    const auto trial = kTrials.find(std::string_view(args.at("try").as_string()));
    if (trial == kTrials.end()) godwit::fail("no_trial", "there is no such trial");
    errno = 0;
    const bool ok = trial->second(args) >= 0;
    return {{"ok", ok}, {"error", ok ? "" : ::strerrorname_np(errno)}};
  }
};
GODWIT_STAGE(Probe, "probe")
GODWIT_PLUGIN(&gw_unit_Probe)
