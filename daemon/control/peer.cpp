#include "control/peer.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace godwit::control {

std::optional<Peer> read_peer(int socket) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return std::nullopt;
  std::vector<gid_t> groups(32);
  length = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  int failed = getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length);
  if (failed != 0 && errno == ERANGE) {  // the kernel has put the length it needs
    groups.resize(length / sizeof(gid_t));
    failed = getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length);
  }
  if (failed != 0) return std::nullopt;
  groups.resize(length / sizeof(gid_t));
  groups.insert(groups.begin(), credentials.gid);
  return Peer{credentials.uid, std::move(groups)};
}

}  // namespace godwit::control
