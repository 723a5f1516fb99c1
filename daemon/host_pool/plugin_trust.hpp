#pragma once
#include <string>

namespace godwit::host_pool {

// Why nobody should run what is at the absolute `path`, as a sentence that names the culprit; empty when it may be
// trusted. It and every directory above must belong to root or to the daemon's user and be writable by nobody else;
// above it, a sticky directory such as /tmp may be. Where symbolic links lead is held to the same.
std::string distrust(const std::string& path);

}  // namespace godwit::host_pool
