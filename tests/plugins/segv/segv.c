/* Dies of a segmentation fault, after a word on stderr. */
#include "../unit.h"
#include <stdio.h>

static gw_status run(void *self, gw_call *call, gw_view method, gw_view input) {
  (void)self, (void)call, (void)method, (void)input;
  fputs("about to touch what is not mine\n", stderr);
  volatile int *nowhere = 0;
  *nowhere = 1;
  return GW_OK;
}

ONE_STAGE_PLUGIN("segv", run)
