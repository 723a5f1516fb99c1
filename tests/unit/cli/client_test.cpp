#include "cli/client.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <thread>

#include "support/temp_dir.hpp"

using namespace godwit;
using namespace godwit::cli;
using namespace std::chrono_literals;
namespace json = base::json;

namespace {

// A daemon that says to each client what the test has written down, and then waits for the client to go.
class Daemon {
 public:
  explicit Daemon(std::string says) : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 4) == 0);
    thread_ = std::thread([this, says = std::move(says)] {
      const base::UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      ::send(client.get(), says.data(), says.size(), MSG_NOSIGNAL);
      if (says.ends_with("END")) return;
      char ignored[4096];
      while (::recv(client.get(), ignored, sizeof ignored, 0) > 0) {
      }
    });
  }
  ~Daemon() { thread_.join(); }
  std::string path() const { return (dir_ / "s").string(); }

 private:
  support::TempDir dir_;
  base::UniqueFd listener_;
  std::thread thread_;
};

std::string event_line(int n) {
  std::string line;
  wire::encode_rpc_event(1, {{"event", "n"}, {"n", n}}, line);
  return line;
}

std::string result_line(int id) {
  std::string line;
  wire::encode_rpc_result(id, "answer", line);
  return line;
}

}  // namespace

TEST_CASE("An event is given as soon as it is there, and not when the patience ends") {
  Daemon daemon(event_line(1) + event_line(2));
  Client client(daemon.path());
  const auto begin = base::tick();
  CHECK(client.next_event(1min)->event.at("n") == 1);
  CHECK(client.next_event(1min)->event.at("n") == 2);
  CHECK(base::tick() - begin < 30s);
  CHECK_FALSE(client.next_event(1ms));
}

TEST_CASE("Events that come before an answer are kept for later") {
  Daemon daemon(event_line(1) + result_line(1) + event_line(2));
  Client client(daemon.path());
  CHECK(client.call("run.follow") == "answer");
  CHECK(client.next_event(1min)->event.at("n") == 1);
  CHECK(client.next_event(1min)->event.at("n") == 2);
}

TEST_CASE("An error reaches the caller with its kind, and so does one without an id") {
  std::string line;
  wire::encode_rpc_error(nullptr, base::Error(base::ErrorKind::denied, "no role"), line);
  Daemon daemon(line);
  Client client(daemon.path());
  try {
    client.call("daemon.ping");
    FAIL("nothing was thrown");
  } catch (const base::Error& error) {
    CHECK(error.kind() == base::ErrorKind::denied);
  }
}

TEST_CASE("A daemon that is absent, goes away or talks nonsense is an error") {
  const auto kind_of = [](const std::string& path) {
    try {
      Client(path).call("daemon.ping");
    } catch (const base::Error& error) {
      return error.kind();
    }
    return base::ErrorKind::usage;
  };
  CHECK(kind_of("/nonexistent/socket") == base::ErrorKind::unavailable);
  CHECK(kind_of(std::string(200, 'x')) == base::ErrorKind::usage);
  {
    Daemon daemon("{\"jsonrpc\":\"2.0\",END");
    CHECK(kind_of(daemon.path()) == base::ErrorKind::unavailable);
  }
  {
    Daemon daemon("hello\n");
    CHECK(kind_of(daemon.path()) == base::ErrorKind::internal);
  }
}
