#pragma once
#include <map>
#include <string>

#include "config/settings.hpp"

namespace godwit::host_pool {

// The value of a secret as it is now, so that a changed file counts at once; the last line feed of a file is not part
// of it. Throws base::Error: denied when the plugin was given none of this name, failed when its source cannot be read.
// No message has the value.
std::string read_secret(const std::map<std::string, config::SecretSource>& sources, const std::string& name);

}  // namespace godwit::host_pool
