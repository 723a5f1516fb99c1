// Goal: who follows the log of a run sees its lines while it runs, however much the run has to say. Method: a daemon that
// never stops sending events until it was asked for lines often enough.
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <thread>

#include "base/unique_fd.hpp"
#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "support/temp_dir.hpp"

using namespace godwit;
using namespace std::chrono_literals;
namespace json = base::json;

namespace {

class BusyDaemon {
 public:
  BusyDaemon() : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 4) == 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~BusyDaemon() { thread_.join(); }
  std::string path() const { return (dir_ / "s").string(); }
  int looks() const { return looks_; }

 private:
  void serve() {
    const base::UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const timeval turn{0, 20'000};
    ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &turn, sizeof turn);
    const auto until = base::tick() + 60s;
    for (bool ended = false;;) {
      char bytes[4096];
      const ssize_t got = ::recv(client.get(), bytes, sizeof bytes, 0);
      if (got == 0) return;
      std::string says;
      if (got > 0) answer(std::string_view(bytes, static_cast<std::size_t>(got)), says);
      const bool end = !ended && (looks_ >= 3 || base::tick() > until);
      const json::object event = end ? json::object{{"event", "state"}, {"state", "succeeded"}} : json::object{{"event", "log"}};
      if (!ended) wire::encode_rpc_event(1, event, says);
      ended = ended || end;
      ::send(client.get(), says.data(), says.size(), MSG_NOSIGNAL);
    }
  }
  void answer(std::string_view line, std::string& says) {
    const auto request = json::parse(line.substr(0, line.find('\n'))).as_object();
    const bool lines = request.at("method") == "run.logs";
    looks_ += lines ? 1 : 0;
    wire::encode_rpc_result(request.at("id"), lines ? json::value(json::array()) : json::value(json::object()), says);
  }

  support::TempDir dir_;
  base::UniqueFd listener_;
  std::atomic<int> looks_ = 0;
  std::thread thread_;
};

}  // namespace

TEST_CASE("The lines of a run that never pauses are shown while it runs") {
  BusyDaemon daemon;
  const auto begin = base::tick();
  {
    cli::Session session(cli::CommandLine::parse({"--socket", daemon.path(), "logs", "7", "--follow"}));
    CHECK(cli::logs(session) == 0);
  }
  CHECK(daemon.looks() >= 3);
  CHECK(base::tick() - begin < 50s);
}
