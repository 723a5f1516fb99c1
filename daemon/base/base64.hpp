#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace godwit::base {

// Bytes as text of RFC 4648 with padding, and back; empty when the text is none.
std::string base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

}  // namespace godwit::base
