/* Says in its manifest that it needs an ABI which does not exist. */
#include "../unit.h"

static gw_status run(void* self, gw_call* call, gw_view method, gw_view input) {
  (void)self, (void)call, (void)method, (void)input;
  return GW_OK;
}

ONE_STAGE_PLUGIN("abi2", run)
