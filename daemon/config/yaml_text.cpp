#include "config/yaml_text.hpp"

#include <cstdio>

#include "base/time.hpp"

namespace godwit::config {
namespace {

// Walks over text and knows the line and column (in characters) it is at.
struct Cursor {
  std::string_view text;
  std::size_t at = 0;
  int line = 1;
  int column = 1;

  bool done() const { return at >= text.size(); }
  unsigned char byte() const { return static_cast<unsigned char>(text[at]); }
  void advance(std::size_t bytes) {
    if (byte() == '\n') {
      ++line;
      column = 1;
    } else {
      ++column;
    }
    at += bytes;
  }
};

// The length of the UTF-8 sequence at the front, 0 when it is not one (overlong, surrogate, beyond U+10FFFF, cut off).
std::size_t sequence_length(std::string_view text, char32_t& code) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xC2 && first < 0xE0 ? 2
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xF0 && first < 0xF5 ? 4
                                                             : 0;
  if (length == 0 || length > text.size()) return 0;
  code = length == 1 ? first : first & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = (code << 6) | (byte(i) & 0x3Fu);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  return overlong || (code >= 0xD800 && code < 0xE000) || code > 0x10FFFF ? 0 : length;
}

bool is_printable(char32_t code) {
  return code == '\t' || code == '\n' || code == '\r' || (code >= 0x20 && code < 0x7F) || code == 0x85 || code >= 0xA0;
}

std::string size_text(std::size_t bytes) {
  return bytes < 10u << 20 ? std::to_string(bytes) + " bytes" : std::to_string(bytes >> 20) + " MiB";
}

}  // namespace

std::string_view check_yaml_text(std::string_view text, const std::string& file, std::size_t bytes_max) {
  const base::Place start{file, 0, 0, {}};
  if (text.size() > bytes_max)
    throw base::refused(
        "the file has " + size_text(text.size()) + "; at most " + std::to_string(bytes_max) + " bytes are read", start);
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    throw base::refused("the file is UTF-16; it must be UTF-8", {file, 1, 1, {}});
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  bool blank = true;  // only spaces so far in this line
  for (Cursor cursor{text}; !cursor.done();) {
    char32_t code = 0;
    const base::Place here{file, cursor.line, cursor.column, {}};
    const std::size_t length = sequence_length(text.substr(cursor.at), code);
    if (length == 0) throw base::refused("this is not UTF-8", here, "save the file as UTF-8");
    if (!is_printable(code)) {
      char name[16];
      std::snprintf(name, sizeof name, "U+%04X", static_cast<unsigned>(code));
      throw base::refused(std::string("the control character ") + name + " cannot stand in YAML", here);
    }
    if (code == '\t' && blank && cursor.column == 1) {
      const std::size_t content = text.find_first_not_of(" \t\r", cursor.at);
      if (content != std::string_view::npos && text[content] != '\n' && text[content] != '#')
        throw base::refused("a tab is used for indentation", here, "use spaces");
    }
    blank = code == '\n' || (blank && code == ' ');
    cursor.advance(length);
  }
  return text;
}

}  // namespace godwit::config
