#pragma once
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace godwit::config {

// Refuses text that cannot be YAML before a parser sees it: too large, not UTF-8, control characters, tabs as
// indentation. Gives the text without its byte order mark. Throws Error(refused) with the place.
std::string_view check_yaml_text(std::string_view text, const std::string& file, std::size_t bytes_max);

}  // namespace godwit::config
