/* Dies of a segmentation fault, after a word on stderr. */
#include <signal.h>
#include <stdio.h>
#include "../unit.h"

static gw_status run(void* self, gw_call* call, gw_view method, gw_view input) {
  (void)self, (void)call, (void)method, (void)input;
  fputs("about to touch what is not mine\n", stderr);
  signal(SIGSEGV, SIG_DFL);        /* a sanitizer's handler would make an exit code of it */
  volatile uintptr_t address = 64; /* volatile: the compiler shall not see what comes */
  volatile int* nowhere = (volatile int*)address;
  *nowhere = 1;
  return GW_OK;
}

ONE_STAGE_PLUGIN("segv", run)
