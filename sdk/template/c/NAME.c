#include <godwit/plugin.h>
#include <string.h>

static const gw_host *host; /* lives as long as the process */

static gw_view text(const char *string) {
  gw_view view = {(const uint8_t *)string, strlen(string)};
  return view;
}

/* [main] Makes an instance from the operator's configuration; this one needs none. */
static gw_status open_unit(const gw_host *table, gw_call *call, gw_view config, void **self) {
  (void)call, (void)config;
  host = table;
  *self = NULL;
  return GW_OK;
}

/* [run] One call. A view is borrowed until this function returns; what the host gives is its own. */
static gw_status run_unit(void *self, gw_call *call, gw_view method, gw_view input) {
  (void)self, (void)method;
  if (host->cancelled(call)) return GW_CANCELLED;
  host->log(call, GW_LOG_INFO, text("at work"), text(""));
  gw_status status = host->checkpoint_put(call, text("seen"), text("true"));
  if (status != GW_OK) {
    if (status != GW_CANCELLED) host->fail(call, text("checkpoint"), text("the checkpoint could not be stored"), -1);
    return status == GW_CANCELLED ? GW_CANCELLED : GW_RETRY;
  }
  host->progress(call, 1, 1, text(""));
  return host->output(call, input);
}

/* [main] At an orderly end of the process. */
static void close_unit(void *self) { (void)self; }

static const gw_unit unit = {sizeof(gw_unit), GW_KIND_STAGE, "@NAME@", open_unit, run_unit, close_unit};
static const gw_unit *const units[] = {&unit};
static const gw_plugin plugin = {sizeof(gw_plugin), GW_ABI_MAJOR, GW_ABI_MINOR, 1, units, NULL};

GW_EXPORT const gw_plugin *godwit_plugin_v1(const gw_host *table, gw_call *load) {
  (void)table, (void)load;
  return &plugin;
}
