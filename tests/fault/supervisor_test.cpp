// Goal: systemd's watchdog is fed for as long as the process lives, also after a lost lease, when godwitd begins anew in
// the same process. Method: a socket in systemd's place, and a lease that is ended behind the daemon's back.
#include <sys/socket.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "base/unique_fd.hpp"
#include "support/daemon_process.hpp"
#include "support/postgres.hpp"
#include "support/temp_dir.hpp"

using namespace godwit;
using namespace std::chrono_literals;

namespace {

class Supervisor {
 public:
  Supervisor() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const timeval turn{0, 100'000};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &turn, sizeof turn);
  }
  std::string path() const { return (folder_ / "notify").string(); }
  // Whether the daemon says this within the time.
  bool hears(std::string_view what, base::Duration within) {
    for (const auto end = base::tick() + within; base::tick() < end;) {
      char text[512];
      const ssize_t size = ::recv(socket_.get(), text, sizeof text, 0);
      if (size > 0 && std::string_view(text, static_cast<std::size_t>(size)).find(what) != std::string_view::npos) return true;
    }
    return false;
  }

 private:
  support::TempDir folder_;
  base::UniqueFd socket_;
};

}  // namespace

TEST_CASE("systemd hears of a daemon that began anew as before") {
  Supervisor supervisor;
  const auto url = support::Postgres::shared().make_database();
  support::DaemonProcess daemon({.settings = "node: {name: one, lease: 20s}\n",
                                 .database_url = url,
                                 .environment = {"NOTIFY_SOCKET=" + supervisor.path(), "WATCHDOG_USEC=1000000"}});
  daemon.launch();
  REQUIRE(supervisor.hears("READY=1", 60s));
  REQUIRE(supervisor.hears("WATCHDOG=1", 10s));
  daemon.query("select godwit.end_lease(id) from godwit.node where name = 'one'");
  CHECK(supervisor.hears("READY=1", 60s));
  CHECK(supervisor.hears("WATCHDOG=1", 10s));
  CHECK(daemon.log().find("beginning anew") != std::string::npos);
}
