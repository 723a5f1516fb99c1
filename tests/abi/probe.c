/* Names every public struct of the plugin ABI in an exported function: libabigail compares what it can reach from symbols. */
#include <godwit/ext/artifact.h>
#include <godwit/ext/describe.h>
#include <godwit/ext/http.h>
#include <godwit/ext/limits.h>
#include <godwit/ext/secret.h>
#include <godwit/plugin.h>

#define PROBE(type) \
  GW_EXPORT uint64_t probe_##type(const type *value) { return sizeof *value; }
#define PROBE_OPAQUE(type) \
  GW_EXPORT const type *probe_##type(const type *value) { return value; }

PROBE(gw_view)
PROBE(gw_host)
PROBE(gw_unit)
PROBE(gw_plugin)
PROBE(gw_host_http)
PROBE(gw_host_artifact)
PROBE(gw_host_limits)
PROBE(gw_quota)
PROBE(gw_host_secret)
PROBE(gw_plugin_describe)
PROBE_OPAQUE(gw_buf)
PROBE_OPAQUE(gw_call)

GW_EXPORT gw_status probe_status(const gw_plugin *(*entry)(const gw_host *, gw_call *)) { return entry ? GW_OK : GW_INVALID; }
