#include "support/network.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <system_error>

#include "support/daemon_process.hpp"

namespace godwit::support {
namespace {

constexpr auto kIp = "/usr/sbin/ip";

base::UniqueFd space_of_this_thread() {
  base::UniqueFd fd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!fd) throw std::system_error(errno, std::generic_category(), "/proc/thread-self/ns/net");
  return fd;
}

void enter(const base::UniqueFd& space) {
  if (setns(space.get(), CLONE_NEWNET) != 0) throw std::system_error(errno, std::generic_category(), "setns");
}

}  // namespace

NetworkSpace::NetworkSpace() {
  const auto home = space_of_this_thread();
  if (unshare(CLONE_NEWNET) != 0) throw std::system_error(errno, std::generic_category(), "unshare");
  fd_ = space_of_this_thread();
  enter(home);
}

NetworkSpace::Visit::Visit(const NetworkSpace& space) : home_(space_of_this_thread()) {
  enter(space.fd_);
}

NetworkSpace::Visit::~Visit() {
  enter(home_);
}

std::string NetworkSpace::path() const {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_.get());
}

std::string Network::obstacle() {
  if (access(kIp, X_OK) != 0) return std::string("there is no ") + kIp + " (package iproute2)";
  try {
    Network tried(1);
  } catch (const std::exception& error) {
    return std::string("network namespaces cannot be made here, which needs root and CAP_SYS_ADMIN: ") + error.what();
  }
  return {};
}

Network::Network(int places) : places_(static_cast<std::size_t>(places)) {
  ip(hub_, "link set lo up");
  for (int place = 0; place < places; ++place) lay_wire(place);
}

void Network::lay_wire(int place) const {
  const auto& there = this->place(place);
  ip(hub_, "link add " + wire(place) + " type veth peer name wire netns " + there.path());
  ip(hub_, "address add " + address(place, 1) + "/24 dev " + wire(place));
  ip(hub_, "link set " + wire(place) + " up");
  ip(there, "address add " + address(place, 2) + "/24 dev wire");
  ip(there, "link set wire up");
  ip(there, "link set lo up");
}

std::string Network::hub_addresses() const {
  std::string all;
  for (int place = 0; place < static_cast<int>(places_.size()); ++place)
    all += (place == 0 ? "" : ",") + hub_address(place);
  return all;
}

void Network::cut(int place, Cut how) const {
  if (how == Cut::both_ways)
    ip(hub_, "link set " + wire(place) + " down");
  else
    ip(hub_, "route add blackhole " + address(place, 2) + "/32");
}

void Network::mend(int place) const {
  ip(hub_, "link set " + wire(place) + " up");
  ip(hub_, "route flush type blackhole match " + address(place, 2) + "/32");
}

void Network::ip(const NetworkSpace& where, const std::string& arguments) {
  const NetworkSpace::Visit visit(where);
  std::vector<std::string> words;
  for (std::size_t from = 0; from < arguments.size();) {
    const auto to = std::min(arguments.find(' ', from), arguments.size());
    words.push_back(arguments.substr(from, to - from));
    from = to + 1;
  }
  if (const auto done = run_command(kIp, words); done.exit_code != 0)
    throw std::runtime_error("ip " + arguments + ": " + done.err);
}

}  // namespace godwit::support
