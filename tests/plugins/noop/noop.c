/* Gives its input back, or a fixed answer of 204 bytes when the input is {"answer": "fixed"}: the cost of a call and
 * nothing else. */
#include "../unit.h"

static const char fixed[] =
    "{\"offer\":{\"id\":\"0123456789abcdef0123456789\",\"price\":{\"amount\":\"123.45\",\"currency\":\"EUR\"},"
    "\"segments\":[{\"from\":\"JFK\",\"to\":\"CDG\",\"departs\":\"2026-11-22T18:45\",\"arrives\":\"2026-11-23T08:05\","
    "\"flight\":\"XX100\"}]}}";
_Static_assert(sizeof fixed - 1 == 204, "the size that benchmarks name");

static gw_status run(void* self, gw_call* call, gw_view method, gw_view input) {
  (void)self, (void)method;
  const gw_view wish = text("{\"answer\":\"fixed\"}");
  if (input.len == wish.len && memcmp(input.ptr, wish.ptr, wish.len) == 0) return host->output(call, text(fixed));
  return host->output(call, input);
}

ONE_STAGE_PLUGIN("noop", run)
