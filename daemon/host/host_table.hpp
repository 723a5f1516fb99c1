#pragma once
#include <godwit/plugin.h>

namespace godwit::host {

// The functions that plugins call; each passes on to its gw_call.
extern const gw_host kHostTable;

}  // namespace godwit::host
