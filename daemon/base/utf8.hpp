#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace godwit::base {

// Well-formed UTF-8 without NUL, which PostgreSQL's text does not take.
bool is_utf8(std::string_view bytes);
// What keeps bytes from being text that people write: another encoding, a control character. The first of it.
struct TextFault {
  std::size_t offset = 0;
  std::string what;
};
std::optional<TextFault> find_text_fault(std::string_view bytes);
// The same text with U+FFFD for every byte that is_utf8() would refuse.
std::string repaired_utf8(std::string_view bytes);

}  // namespace godwit::base
