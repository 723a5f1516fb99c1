#include "base/json_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace godwit::base {
namespace {

constexpr double kPlainLeast = 1e-6;
constexpr double kPlainMost = 1e15;
// The longest plain number: a sign, "0.", five zeros and seventeen digits.
constexpr std::size_t kNumberSize = 32;

template <typename Whole>
void append_whole(Whole number, std::string& out) {
  std::array<char, kNumberSize> text{};
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr);
}

bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte != '"' && byte != '\\';
}

void append_text(std::string_view text, std::string& out) {
  if (!std::all_of(text.begin(), text.end(), is_plain)) {
    out += json::serialize(text);
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

void append_array(const json::array& array, std::string& out) {
  char separator = '[';
  for (const auto& entry : array) {
    out += std::exchange(separator, ',');
    append_json(entry, out);
  }
  out += array.empty() ? "[]" : "]";
}

void append_object(const json::object& object, std::string& out) {
  char separator = '{';
  for (const auto& member : object) {
    out += std::exchange(separator, ',');
    append_text(member.key(), out);
    out += ':';
    append_json(member.value(), out);
  }
  out += object.empty() ? "{}" : "}";
}

}  // namespace

void append_json(double number, std::string& out) {
  const double size = std::abs(number);
  if (number != 0 && !(size >= kPlainLeast && size < kPlainMost)) {
    out += json::serialize(json::value(number));
    return;
  }
  std::array<char, kNumberSize> text{};
  const char* end = std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed).ptr;
  const std::string_view digits(text.data(), static_cast<std::size_t>(end - text.data()));
  out += digits;
  // Without it the number would be read back as an integer.
  if (digits.find('.') == digits.npos) out += ".0";
}

void append_json(const json::value& value, std::string& out) {
  switch (value.kind()) {
    case json::kind::null:
      out += "null";
      return;
    case json::kind::bool_:
      out += value.get_bool() ? "true" : "false";
      return;
    case json::kind::int64:
      return append_whole(value.get_int64(), out);
    case json::kind::uint64:
      return append_whole(value.get_uint64(), out);
    case json::kind::double_:
      return append_json(value.get_double(), out);
    case json::kind::string:
      return append_text(value.get_string(), out);
    case json::kind::array:
      return append_array(value.get_array(), out);
    case json::kind::object:
      return append_object(value.get_object(), out);
  }
}

std::string serialize(const json::value& value) {
  std::string out;
  append_json(value, out);
  return out;
}

std::string serialize(const json::object& object) {
  std::string out;
  append_object(object, out);
  return out;
}

std::string serialize(const json::array& array) {
  std::string out;
  append_array(array, out);
  return out;
}

std::string serialize(std::string_view text) {
  std::string out;
  append_text(text, out);
  return out;
}

}  // namespace godwit::base
