#include "store/listener.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <optional>
#include <system_error>

namespace godwit::store {
namespace {

// How often a silent connection is asked whether it still lives; TCP's own keepalives do not see a frozen server.
constexpr int kProbeMilliseconds = 30'000;

// libpqxx gives notifications to objects; this one only remembers that there was one.
class Bell : public pqxx::notification_receiver {
 public:
  Bell(pqxx::connection_base& session, const char* channel) : pqxx::notification_receiver(session, channel) {}
  void operator()(const std::string&, int) override { rung = true; }
  bool rung = false;
};

struct Cut {
  int fd;
  ~Cut() { shutdown(fd, SHUT_RDWR); }
};

}  // namespace

Listener::Listener(const Site& site, std::function<void()> arrived, std::function<void()> rang)
    : site_(site), uplink_(site, "listener"), arrived_(std::move(arrived)), rang_(std::move(rang)), wake_(eventfd(0, EFD_CLOEXEC)) {
  if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Listener::~Listener() {
  join();
}

void Listener::start() {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "store-listener");
}

void Listener::join() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

void Listener::run() {
  try {
    for (;;) {
      try {
        wait(uplink_.get());
      } catch (const std::exception&) {
        // Whatever it was, the journal's connection tells the operator; here a new connection is all there is to do.
        uplink_.drop();
        uplink_.back_off();
      }
    }
  } catch (const Stopped&) {
  }
}

// Returns never; throws when the connection is lost or the store stops.
void Listener::wait(Connection& connection) {
  std::optional<Bell> inbox, nodes;
  connection.guarded([&] {
    inbox.emplace(connection.session(), "godwit_inbox");
    nodes.emplace(connection.session(), "godwit_nodes");
  });
  // The receiver says UNLISTEN at its end, and a frozen server would never answer that.
  const Cut cut{connection.socket()};
  uplink_.succeeded();
  arrived_();
  rang_();
  for (;;) {
    pollfd fds[2] = {{connection.socket(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    const int ready = poll(fds, 2, kProbeMilliseconds);
    if (site_.stop.raised()) throw Stopped{};
    if (ready == 0) connection.exec("SELECT 1");
    connection.session().get_notifs();
    if (std::exchange(inbox->rung, false)) arrived_();
    if (std::exchange(nodes->rung, false)) rang_();
    if (!connection.session().is_open()) throw pqxx::broken_connection("the listening connection was closed");
  }
}

}  // namespace godwit::store
