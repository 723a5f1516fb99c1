/* Finds the protocol's socket among the open descriptors and writes nonsense into it. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../unit.h"

static gw_status run(void* self, gw_call* call, gw_view method, gw_view input) {
  (void)self, (void)call, (void)method, (void)input;
  static const char nonsense[] = "this is no frame, and its first four bytes are a length of more than a gigabyte";
  for (int fd = 3; fd < 1024; ++fd) {
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) && write(fd, nonsense, sizeof nonsense) < 0)
      return GW_FAILED;
  }
  for (;;) pause();
}

ONE_STAGE_PLUGIN("garbage", run)
