/* What the plugins written in C share: a plugin with one stage that has no state. */
#ifndef GODWIT_TEST_UNIT_H
#define GODWIT_TEST_UNIT_H
#include <godwit/plugin.h>
#include <string.h>

static const gw_host* host;

static inline gw_view text(const char* string) {
  gw_view view = {(const uint8_t*)string, strlen(string)};
  return view;
}

static inline gw_status open_nothing(const gw_host* table, gw_call* call, gw_view config, void** self) {
  (void)call, (void)config, (void)self;
  host = table;
  return GW_OK;
}

static inline void close_nothing(void* self) {
  (void)self;
}

#define ONE_STAGE_PLUGIN(id, run)                                                                     \
  static const gw_unit unit = {sizeof(gw_unit), GW_KIND_STAGE, id, open_nothing, run, close_nothing}; \
  static const gw_unit* const units[] = {&unit};                                                      \
  static const gw_plugin plugin = {sizeof(gw_plugin), GW_ABI_MAJOR, GW_ABI_MINOR, 1, units, 0};       \
  const gw_plugin* godwit_plugin_v1(const gw_host* table, gw_call* load) {                            \
    (void)table, (void)load;                                                                          \
    return &plugin;                                                                                   \
  }

#endif
