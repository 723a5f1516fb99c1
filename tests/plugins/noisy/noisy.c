/* Floods stdout and stderr with 64 MiB, the last lines of which are recognisable, and then succeeds. */
#include <stdio.h>
#include <unistd.h>
#include "../unit.h"

static gw_status run(void* self, gw_call* call, gw_view method, gw_view input) {
  (void)self, (void)method, (void)input;
  static char block[64 * 1024];
  memset(block, 'x', sizeof block);
  for (size_t i = 127; i < sizeof block; i += 128) block[i] = '\n';
  for (int i = 0; i < 512; ++i) {
    if (write(1, block, sizeof block) < 0 || write(2, block, sizeof block) < 0) return GW_FAILED;
  }
  puts("the end of stdout");
  fputs("the end of stderr without a newline", stderr);
  return host->output(call, text("\"said it all\""));
}

ONE_STAGE_PLUGIN("noisy", run)
