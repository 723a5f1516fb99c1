#include "base/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "base/error.hpp"

namespace godwit::base {

void open_closed_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

void require_printed() {
  // What failed to be written earlier is told by ferror() only.
  const bool flushed = std::fflush(stdout) == 0;
  if (!flushed || std::ferror(stdout) != 0) throw Error(ErrorKind::failed, "cannot write to standard output");
}

}  // namespace godwit::base
