/* godwit.secret/1: keys and passwords that the operator keeps for a plugin. They are never part of a job, an input, a log or the database.
 *
 * Asked for with host->extension(GW_EXT_SECRET); given when the manifest names it in "needs" or "wants". Frozen like the core table. */
#ifndef GODWIT_EXT_SECRET_H
#define GODWIT_EXT_SECRET_H

#include <godwit/plugin.h>

#define GW_EXT_SECRET "godwit.secret/1"

/* Static storage of the host; lives as long as the process. No pointer is NULL. */
typedef struct gw_host_secret {
  uint32_t struct_size; /* bytes */
  uint32_t reserved;    /* 0 */

  /* [run] The value of a secret, read anew at each call so that a changed one counts at once. *value belongs to the host, which wipes its bytes when it is
   * released and at the latest when the call ends; keep no copy. GW_DENIED when the operator gives this plugin no secret of that name, GW_FAILED when it
   * cannot be read now, GW_INVALID, GW_CANCELLED; *value is NULL then. */
  gw_status (*get)(gw_call *call, gw_view name, gw_buf **value);
} gw_host_secret;

#if UINTPTR_MAX == 0xffffffffffffffffu
GW_STATIC_ASSERT(sizeof(gw_host_secret) == 16, "gw_host_secret is frozen");
GW_STATIC_ASSERT(offsetof(gw_host_secret, get) == 8, "gw_host_secret is frozen");
#endif

#endif /* GODWIT_EXT_SECRET_H */
