#include "base/digest.hpp"

#include <cstring>

namespace godwit::base {

Sha256::Sha256() {
  sha256_init(&state_);
}

void Sha256::add(std::string_view bytes) {
  sha256_update(&state_, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

std::array<std::uint8_t, SHA256_DIGEST_SIZE> Sha256::take() {
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&state_, digest.size(), digest.data());
  return digest;
}

std::string Sha256::take_hex() {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : take()) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 digest;
  digest.add(bytes);
  return digest.take_hex();
}

std::int64_t sha256_prefix(std::string_view bytes) {
  Sha256 digest;
  digest.add(bytes);
  const auto whole = digest.take();
  std::int64_t value = 0;
  std::memcpy(&value, whole.data(), sizeof value);
  return value;
}

}  // namespace godwit::base
