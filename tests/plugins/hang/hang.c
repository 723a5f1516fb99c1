/* Never ends by itself and ignores every polite wish that it should. */
#include <signal.h>
#include <unistd.h>
#include "../unit.h"

static gw_status run(void* self, gw_call* call, gw_view method, gw_view input) {
  (void)self, (void)call, (void)method;
  signal(SIGTERM, SIG_IGN);
  signal(SIGINT, SIG_IGN);
  if (input.len > 2) return GW_OK; /* {} hangs, anything else does not */
  for (;;) pause();
}

ONE_STAGE_PLUGIN("hang", run)
