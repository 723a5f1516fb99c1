// godwit-egress: makes HTTP requests for plugins. godwitd starts it with a socket as descriptor 3 when a plugin asks
// for the first one. Not meant to be started by hand.
#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <exception>

#include "egress/server.hpp"

int main() {
  struct stat status {};
  if (::fstat(godwit::wire::kHostProtocolFd, &status) != 0 || !S_ISSOCK(status.st_mode)) {
    std::fputs("godwit-egress: descriptor 3 is no socket; godwitd starts this program, people do not\n", stderr);
    return 2;
  }
  ::fcntl(godwit::wire::kHostProtocolFd, F_SETFD, FD_CLOEXEC);
  try {
    return godwit::egress::Server(godwit::base::UniqueFd(godwit::wire::kHostProtocolFd)).serve();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "godwit-egress: %s\n", error.what());
    return 70;
  }
}
