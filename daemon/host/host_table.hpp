#pragma once
#include <godwit/plugin.h>

#include <string>
#include <vector>

namespace godwit::host {

// The functions that plugins call; each passes on to its gw_call.
extern const gw_host kHostTable;

// Which extensions the plugin is given; before it is loaded.
void offer_extensions(const std::vector<std::string>& ids);

}  // namespace godwit::host
