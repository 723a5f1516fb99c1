#pragma once
#include <string>

#include "base/json.hpp"

namespace godwit::base {

// JSON over several lines, members in the order they have; short lists and objects stay on one line. No line feed at
// the end.
std::string pretty(const json::value& value);

}  // namespace godwit::base
