#pragma once
#include <nettle/sha2.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace godwit::base {

// A SHA-256 (FIPS 180-4) that grows with what is added.
class Sha256 {
 public:
  Sha256();
  void add(std::string_view bytes);
  // The digest of all that was added; begins anew.
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> take();
  // The same in lower-case hexadecimal.
  std::string take_hex();

 private:
  sha256_ctx state_;
};

// SHA-256 of the bytes, in lower-case hexadecimal.
std::string sha256_hex(std::string_view bytes);
// The first eight bytes of the SHA-256, as a number: enough to tell two arguments of one step apart.
std::int64_t sha256_prefix(std::string_view bytes);

}  // namespace godwit::base
