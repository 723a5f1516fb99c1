// Goal: what is not granted cannot be done, what is granted can. Method: a plugin that tries everything, in real host
// processes, against real listeners.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <fstream>

#include "base/unique_fd.hpp"
#include "pool_world.hpp"
#include "process/landlock.hpp"
#include "support/temp_dir.hpp"

using namespace godwit;
using support::PoolWorld;
namespace json = base::json;

namespace {

host_pool::HostSettings granting(const std::function<void(model::Grants&)>& grant) {
  host_pool::HostSettings settings;
  grant(settings.plugins["test.probe"].grants);
  return settings;
}

// "ok" or the name of the error.
std::string tried(PoolWorld& world, json::object what) {
  const std::string output = world.output(world.start("probe", json::serialize(what)));
  const json::value answer = base::parse_json(output);
  return answer.at("ok").as_bool() ? "ok" : std::string(answer.at("error").as_string());
}

// Something to talk to, of each kind.
class Listeners {
 public:
  Listeners() {
    tcp_ = tcp_socket(port);
    REQUIRE(::listen(tcp_.get(), 16) == 0);
    path = (dir_ / "socket").string();
    datagram_path = (dir_ / "datagrams").string();
    abstract = "godwit-test-" + std::to_string(::getpid());
    stream_ = unix_socket(path, false, SOCK_STREAM);
    datagrams_ = unix_socket(datagram_path, false, SOCK_DGRAM);
    abstract_ = unix_socket(abstract, true, SOCK_STREAM);
  }

  // A port that nobody has, as far as one can know.
  static std::uint16_t free_port() {
    std::uint16_t port = 0;
    tcp_socket(port);
    return port;
  }

  std::uint16_t port = 0;
  std::string path, datagram_path, abstract;

 private:
  static base::UniqueFd tcp_socket(std::uint16_t& port) {
    base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port = ntohs(address.sin_port);
    return fd;
  }
  static base::UniqueFd unix_socket(const std::string& name, bool is_abstract, int type) {
    base::UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(name.begin(), name.end(), address.sun_path + (is_abstract ? 1 : 0));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (is_abstract ? 1 : 0));
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    if (type == SOCK_STREAM) REQUIRE(::listen(fd.get(), 16) == 0);
    return fd;
  }

  support::TempDir dir_;
  base::UniqueFd tcp_, stream_, datagrams_, abstract_;
};

}  // namespace

TEST_CASE("a plugin without grants reaches no network of any kind") {
  Listeners listeners;
  PoolWorld world;
  CHECK(tried(world, {{"try", "tcp"}, {"port", listeners.port}}) == "EPERM");
  CHECK(tried(world, {{"try", "tcp_fast_open"}, {"port", listeners.port}}) == "EPERM");
  CHECK(tried(world, {{"try", "mptcp"}, {"port", listeners.port}}) == "EPERM");
  CHECK(tried(world, {{"try", "udp"}, {"port", listeners.port}}) == "EPERM");
  CHECK(tried(world, {{"try", "raw"}, {"port", listeners.port}}) == "EPERM");
  CHECK(tried(world, {{"try", "listen"}, {"port", 0}}) == "EPERM");
  CHECK(tried(world, {{"try", "unix"}, {"path", listeners.path}}) == "EPERM");
  CHECK(tried(world, {{"try", "abstract"}, {"path", listeners.abstract}}) == "EPERM");
  CHECK(tried(world, {{"try", "unix_pair"}, {"path", listeners.datagram_path}}) != "ok");
  CHECK(tried(world, {{"try", "netlink"}}) == "EPERM");
  CHECK(tried(world, {{"try", "io_uring"}}) == "ENOSYS");
}

TEST_CASE("each grant of the network opens what it names and no more") {
  Listeners listeners;
  SECTION("a TCP port") {
    PoolWorld world(granting([&](auto& grants) { grants.network.connect = {listeners.port}; }));
    CHECK(tried(world, {{"try", "tcp"}, {"port", listeners.port}}) == "ok");
    if (process::landlock_abi() >= 4) {
      CHECK(tried(world, {{"try", "tcp"}, {"port", listeners.port ^ 1}}) == "EACCES");
    }
    CHECK(tried(world, {{"try", "tcp_fast_open"}, {"port", listeners.port ^ 1}}) == "EPERM");
    CHECK(tried(world, {{"try", "mptcp"}, {"port", listeners.port}}) != "ok");
    CHECK(tried(world, {{"try", "listen_unbound"}}) == "EPERM");
    CHECK(tried(world, {{"try", "udp"}, {"port", listeners.port}}) == "EPERM");
    CHECK(tried(world, {{"try", "unix"}, {"path", listeners.path}}) == "EPERM");
  }
  SECTION("a TCP port to serve") {
    const auto port = Listeners::free_port();
    PoolWorld world(granting([&](auto& grants) { grants.network.listen = {port}; }));
    CHECK(tried(world, {{"try", "listen"}, {"port", port}}) == "ok");
    if (process::landlock_abi() >= 4) {
      CHECK(tried(world, {{"try", "listen"}, {"port", port ^ 2}}) == "EACCES");
    }
  }
  SECTION("UDP") {
    PoolWorld world(granting([](auto& grants) { grants.network.udp = true; }));
    CHECK(tried(world, {{"try", "udp"}, {"port", listeners.port}}) == "ok");
    CHECK(tried(world, {{"try", "tcp"}, {"port", listeners.port}}) == "EPERM");
  }
  SECTION("Unix sockets with a path") {
    PoolWorld world(granting([](auto& grants) { grants.network.unix_sockets = true; }));
    CHECK(tried(world, {{"try", "unix"}, {"path", listeners.path}}) == "ok");
    if (process::landlock_abi() >= 6) {
      CHECK(tried(world, {{"try", "abstract"}, {"path", listeners.abstract}}) == "EPERM");
    }
    CHECK(tried(world, {{"try", "tcp"}, {"port", listeners.port}}) == "EPERM");
  }
  SECTION("abstract ones too") {
    PoolWorld world(
        granting([](auto& grants) { grants.network.unix_sockets = grants.network.abstract_sockets = true; }));
    CHECK(tried(world, {{"try", "abstract"}, {"path", listeners.abstract}}) == "ok");
  }
  SECTION("all of it") {
    PoolWorld world(granting([](auto& grants) { grants.network.any = true; }));
    for (const char* kind : {"tcp", "tcp_fast_open", "udp"})
      CHECK(tried(world, {{"try", kind}, {"port", listeners.port}}) == "ok");
    CHECK(tried(world, {{"try", "unix"}, {"path", listeners.path}}) == "ok");
    CHECK(tried(world, {{"try", "abstract"}, {"path", listeners.abstract}}) == "ok");
    CHECK(tried(world, {{"try", "io_uring"}}) == "ENOSYS");
  }
}

TEST_CASE("a plugin sees the files that were granted") {
  support::TempDir dir;
  std::ofstream(dir / "in") << "x";
  const std::string in = (dir / "in").string(), out = (dir / "out").string();
  SECTION("none") {
    PoolWorld world;
    CHECK(tried(world, {{"try", "read"}, {"path", "/etc/passwd"}}) == "EACCES");
    CHECK(tried(world, {{"try", "read"}, {"path", in}}) == "EACCES");
    CHECK(tried(world, {{"try", "write"}, {"path", out}}) == "EACCES");
    CHECK(tried(world, {{"try", "unlink"}, {"path", in}}) == "EACCES");
    CHECK(tried(world, {{"try", "environment_of_parent"}}) == "EACCES");
    CHECK(tried(world, {{"try", "read"}, {"path", "/usr/bin/env"}}) == "ok");
  }
  SECTION("to read") {
    PoolWorld world(granting([&](auto& grants) { grants.files.read = {"/etc/passwd", dir.path().string()}; }));
    CHECK(tried(world, {{"try", "read"}, {"path", "/etc/passwd"}}) == "ok");
    CHECK(tried(world, {{"try", "read"}, {"path", in}}) == "ok");
    CHECK(tried(world, {{"try", "write"}, {"path", out}}) == "EACCES");
  }
  SECTION("to write") {
    PoolWorld world(granting([&](auto& grants) { grants.files.write = {dir.path().string()}; }));
    CHECK(tried(world, {{"try", "write"}, {"path", out}}) == "ok");
    CHECK(tried(world, {{"try", "read"}, {"path", "/etc/passwd"}}) == "EACCES");
  }
  SECTION("even everything does not show the daemon's environment and memory") {
    PoolWorld world(granting([](auto& grants) { grants.files.read = grants.files.write = {"/"}; }));
    CHECK(tried(world, {{"try", "environment_of_parent"}}) == "EACCES");
    CHECK(tried(world, {{"try", "memory_of_parent"}}) == "EPERM");
  }
}

TEST_CASE("a plugin starts programs and processes only when it may") {
  PoolWorld world;
  CHECK(tried(world, {{"try", "become"}, {"path", "/usr/bin/true"}}) == "EPERM");
  CHECK(tried(world, {{"try", "run"}, {"path", "/usr/bin/true"}}) == "EPERM");
  CHECK(tried(world, {{"try", "fork"}}) == "EPERM");
  PoolWorld with_exec(granting([](auto& grants) { grants.exec = true, grants.processes = 8; }));
  CHECK(tried(with_exec, {{"try", "run"}, {"path", "/usr/bin/true"}}) == "ok");
  PoolWorld with_processes(granting([](auto& grants) { grants.processes = 8; }));
  CHECK(tried(with_processes, {{"try", "fork"}}) == "ok");
  CHECK(tried(with_processes, {{"try", "run"}, {"path", "/usr/bin/true"}}) == "EPERM");
}

TEST_CASE("no grant lets a plugin touch the daemon or the kernel") {
  host_pool::HostSettings all = granting([](auto& grants) {
    grants.exec = grants.network.any = true;
    grants.files.read = grants.files.write = {"/"};
    grants.processes = 8;
  });
  for (const bool granted : {false, true}) {
    PoolWorld world(granted ? all : host_pool::HostSettings());
    INFO((granted ? "with all grants" : "without grants"));
    if (!granted || process::landlock_abi() >= 6) {
      CHECK(tried(world, {{"try", "kill_parent"}}) == "EPERM");
    }
    CHECK(tried(world, {{"try", "ptrace"}}) == "EPERM");
    CHECK(tried(world, {{"try", "memory_of_parent"}}) == "EPERM");
    CHECK(tried(world, {{"try", "limit_parent"}}) == "EPERM");
    CHECK(tried(world, {{"try", "raise_limit"}}) == "EPERM");
    CHECK(tried(world, {{"try", "unshare"}}) == "EPERM");
    CHECK(tried(world, {{"try", "new_call"}}) == "ENOSYS");
  }
}

TEST_CASE("a process says what confines it, and one that cannot be confined is refused when that is asked for") {
  PoolWorld world(granting([](auto& grants) { grants.files.read = {"/nowhere/at/all"}; }));
  CHECK(tried(world, {{"try", "fork"}}) == "EPERM");
  const json::value report = world.status("test.probe").at("sandbox");
  const std::string text = json::serialize(report);
  CHECK_THAT(text, Catch::Contains("system calls") && Catch::Contains("no new privileges") &&
                       Catch::Contains("there is no /nowhere/at/all to grant"));
  host_pool::HostSettings strict;
  strict.require_sandbox = true;
  PoolWorld strict_world(std::move(strict));
  const bool complete = report.at("missing").as_array().empty();
  const std::string outcome = strict_world.output(strict_world.start("probe", R"({"try":"fork"})"));
  if (complete) {
    CHECK_THAT(outcome, Catch::Contains("EPERM"));
  } else {
    CHECK_THAT(outcome, Catch::Contains("plugin_unusable") && Catch::Contains("require_sandbox"));
  }
}
