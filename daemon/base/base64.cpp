#include "base/base64.hpp"

#include <nettle/base64.h>

namespace godwit::base {

std::string base64(std::string_view bytes) {
  std::string text(BASE64_ENCODE_RAW_LENGTH(bytes.size()), '\0');
  base64_encode_raw(text.data(), bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  // The library passes over white space, which RFC 4648 does not allow.
  if (text.size() % 4 != 0 || text.find_first_of(" \t\r\n\v\f") != std::string_view::npos) return std::nullopt;
  std::string bytes(BASE64_DECODE_LENGTH(text.size()), '\0');
  std::size_t size = bytes.size();
  base64_decode_ctx state;
  base64_decode_init(&state);
  const bool read =
      base64_decode_update(&state, &size, reinterpret_cast<std::uint8_t*>(bytes.data()), text.size(), text.data()) == 1;
  if (!read || base64_decode_final(&state) != 1) return std::nullopt;
  bytes.resize(size);
  return bytes;
}

}  // namespace godwit::base
