/* godwit.describe/1, an ability of a plugin: it knows the schemas of its own types. The build asks for it (sdk/cmake/GodwitPlugin.cmake) and puts the answer
 * into the manifest, so that a schema is written once, as the type that the code works with. The daemon never asks. Frozen like the core table. */
#ifndef GODWIT_EXT_DESCRIBE_H
#define GODWIT_EXT_DESCRIBE_H

#include <godwit/plugin.h>

#define GW_EXT_DESCRIBE "godwit.describe/1"

/* Static storage of the plugin; lives as long as the process. */
typedef struct gw_plugin_describe {
  uint32_t struct_size; /* bytes */
  uint32_t reserved;    /* 0 */

  /* [main] What the manifest's `units` may be completed with, by unit id: {"offers.rank": {"config": {...}, "args": {...}, "result": {...}},
   * "flights.example": {"methods": {"search": {"args": {...}, "result": {...}}}}}. JSON in static storage of the plugin. */
  void (*units)(gw_view *out);
} gw_plugin_describe;

#if UINTPTR_MAX == 0xffffffffffffffffu
GW_STATIC_ASSERT(sizeof(gw_plugin_describe) == 16, "gw_plugin_describe is frozen");
#endif

#endif /* GODWIT_EXT_DESCRIBE_H */
