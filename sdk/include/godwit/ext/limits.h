/* godwit.limits/1: what a call really cost, and what the other side says of its own limits, so that the limits that the step has taken learn from it.
 *
 * Asked for with host->extension(GW_EXT_LIMITS); given when the manifest names it in "needs" or "wants". Frozen like the core table. */
#ifndef GODWIT_EXT_LIMITS_H
#define GODWIT_EXT_LIMITS_H

#include <godwit/plugin.h>

#define GW_EXT_LIMITS "godwit.limits/1"

/* What the other side lets through until it counts anew, as headers such as RateLimit-Remaining and RateLimit-Reset say it. */
typedef struct gw_quota {
  int64_t remaining; /* tokens (most often: calls), 0 or more */
  int64_t reset_ms;  /* from now, 0 or more */
  int64_t limit;     /* tokens from one reset to the next; -1 when it is not known */
} gw_quota;

/* Static storage of the host; lives as long as the process. No pointer is NULL. */
typedef struct gw_host_limits {
  uint32_t struct_size; /* bytes */
  uint32_t reserved;    /* 0 */

  /* [run] The call cost so many tokens, 0 or more, of the limit `limit`, of which the job has taken an estimate (`limits: {tokens: {estimate: 2000}}`). The
   * last word counts, also of a call that fails. Of another limit it changes nothing. GW_INVALID, else GW_OK. Nothing is kept of the views. */
  gw_status (*cost)(gw_call *call, gw_view limit, int64_t tokens);

  /* [run] The rate `limit`, or with an empty name each rate that the step has taken tokens of, is spread over the time until the reset; with nothing remaining
   * it waits for that. GW_INVALID, else GW_OK. */
  gw_status (*quota)(gw_call *call, gw_view limit, const gw_quota *quota);
} gw_host_limits;

#if UINTPTR_MAX == 0xffffffffffffffffu
GW_STATIC_ASSERT(sizeof(gw_quota) == 24, "gw_quota is frozen");
GW_STATIC_ASSERT(sizeof(gw_host_limits) == 24, "gw_host_limits is frozen");
GW_STATIC_ASSERT(offsetof(gw_host_limits, quota) == 16, "gw_host_limits is frozen");
#endif

#endif /* GODWIT_EXT_LIMITS_H */
