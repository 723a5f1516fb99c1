// godwit-host PLUGIN.so: runs one plugin for godwitd, which starts it with a socket as descriptor 3. Not meant to be
// started by hand.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "host/server.hpp"

namespace {

// Out of the way of the plugin: what it does with small numbers cannot hit the protocol, and its own children do not
// inherit it.
godwit::base::UniqueFd take_protocol_socket() {
  struct stat status {};
  if (fstat(godwit::wire::kHostProtocolFd, &status) != 0 || !S_ISSOCK(status.st_mode)) return {};
  godwit::base::UniqueFd high(::fcntl(godwit::wire::kHostProtocolFd, F_DUPFD_CLOEXEC, 512));
  if (!high) high = godwit::base::UniqueFd(::fcntl(godwit::wire::kHostProtocolFd, F_DUPFD_CLOEXEC, 16));
  ::close(godwit::wire::kHostProtocolFd);
  return high;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2 || arguments[1][0] != '/') {
    std::fputs("usage: godwit-host /absolute/path/to/plugin.so (godwitd starts it)\n", stderr);
    return 2;
  }
  godwit::base::UniqueFd socket = take_protocol_socket();
  if (!socket) {
    std::fputs("godwit-host: descriptor 3 is no socket; godwitd starts this program, people do not\n", stderr);
    return 2;
  }
  // What a plugin prints shall be seen line by line, not when a buffer is full.
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  auto* server =
      new godwit::host::Server(arguments[1], std::move(socket));  // the I/O thread uses it until the process ends
  const int code = server->serve();
  std::fflush(nullptr);
  ::_exit(code);
}
