#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace godwit::base {

// SHA-256 of the bytes, in lower-case hexadecimal.
std::string sha256_hex(std::string_view bytes);
// The first eight bytes of the SHA-256, as a number: enough to tell two arguments of one step apart.
std::int64_t sha256_prefix(std::string_view bytes);

}  // namespace godwit::base
