#pragma once
#include <sys/types.h>

#include <optional>
#include <vector>

namespace godwit::control {

// Who opened the other end of a socket, as the kernel recorded it at connect. The process number is not kept: it may
// name somebody else by now.
struct Peer {
  uid_t uid = static_cast<uid_t>(-1);
  std::vector<gid_t> groups;  // the primary one first
};
// Empty when the kernel does not say.
std::optional<Peer> read_peer(int socket);

}  // namespace godwit::control
