#include "jobfile/format.hpp"

#include <algorithm>

#include "base/date.hpp"

namespace godwit::jobfile {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int two_digits(std::string_view text, std::size_t at) {
  return at + 2 <= text.size() && is_digit(text[at]) && is_digit(text[at + 1])
             ? (text[at] - '0') * 10 + (text[at + 1] - '0')
             : 99;
}

// RFC 3339: 16:45:41.25+01:00
bool is_time(std::string_view text) {
  if (text.size() < 9 || text[2] != ':' || text[5] != ':') return false;
  if (two_digits(text, 0) > 23 || two_digits(text, 3) > 59 || two_digits(text, 6) > 60) return false;
  text.remove_prefix(8);
  if (text[0] == '.') {
    std::size_t end = 1;
    while (end < text.size() && is_digit(text[end])) ++end;
    if (end == 1) return false;
    text.remove_prefix(end);
  }
  if (text == "Z" || text == "z") return true;
  return text.size() == 6 && (text[0] == '+' || text[0] == '-') && text[3] == ':' && two_digits(text, 1) <= 23 &&
         two_digits(text, 4) <= 59;
}

bool is_date_time(std::string_view text) {
  return text.size() > 11 && (text[10] == 'T' || text[10] == 't') && base::parse_date(text.substr(0, 10)) &&
         is_time(text.substr(11));
}

bool is_host(std::string_view host) {
  if (host.empty() || host.size() > 253 || host.front() == '.' || host.back() == '.') return false;
  char before = '.';
  for (const char c : host) {
    if (!is_letter(c) && !is_digit(c) && c != '-' && c != '.' && static_cast<unsigned char>(c) < 0x80) return false;
    if (c == '.' && before == '.') return false;
    before = c;
  }
  return true;
}

bool is_email(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return false;
  const auto local = text.substr(0, at);
  const bool plain = std::none_of(local.begin(), local.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '@' || c == ',' || c == ';' || c == '<' || c == '>' ||
           c == '(' || c == ')';
  });
  return plain && local.front() != '.' && local.back() != '.' && is_host(text.substr(at + 1));
}

// A scheme, and nothing that a URI must escape.
bool is_uri(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || !is_letter(text[0]) || colon + 1 == text.size()) return false;
  const auto scheme = text.substr(0, colon);
  if (!std::all_of(scheme.begin(), scheme.end(),
                   [](char c) { return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.'; }))
    return false;
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= ' ' || byte >= 0x7F || std::string_view("\"<>\\^`{|}").find(c) != std::string_view::npos;
  });
}

}  // namespace

bool has_format(std::string_view text, std::string_view format) {
  if (format == "date") return base::parse_date(text).has_value();
  if (format == "date-time") return is_date_time(text);
  if (format == "email") return is_email(text);
  if (format == "uri") return is_uri(text);
  return true;
}

}  // namespace godwit::jobfile
