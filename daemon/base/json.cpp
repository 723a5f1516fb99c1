#include "base/json.hpp"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <cmath>
#include <vector>

namespace godwit::base {
namespace {

// Accepts every event: only the verdict of the parser is wanted.
struct NullHandler {
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  using Code = boost::system::error_code;
  using Text = json::string_view;
  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) { return true; }
  bool on_object_end(std::size_t, Code&) { return true; }
  bool on_array_begin(Code&) { return true; }
  bool on_array_end(std::size_t, Code&) { return true; }
  bool on_key_part(Text, std::size_t, Code&) { return true; }
  bool on_key(Text, std::size_t, Code&) { return true; }
  bool on_string_part(Text, std::size_t, Code&) { return true; }
  bool on_string(Text, std::size_t, Code&) { return true; }
  bool on_number_part(Text, Code&) { return true; }
  bool on_int64(std::int64_t, Text, Code&) { return true; }
  bool on_uint64(std::uint64_t, Text, Code&) { return true; }
  bool on_double(double number, Text, Code& error) {
    if (std::isfinite(number)) return true;
    error = json::error::exponent_overflow;
    return false;
  }
  bool on_bool(bool, Code&) { return true; }
  bool on_null(Code&) { return true; }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }
};

json::parse_options options(std::size_t depth_max) {
  json::parse_options result;
  result.max_depth = depth_max;
  return result;
}

Place place_of(std::string_view text, std::size_t offset, const std::string& file) {
  Place place{file, 1, 1, {}};
  for (const char c : text.substr(0, std::min(offset, text.size()))) {
    if (c == '\n') {
      ++place.line;
      place.column = 1;
    } else {
      ++place.column;
    }
  }
  return place;
}

bool is_deeper(const json::value& value, std::size_t levels) {
  const auto* array = value.if_array();
  const auto* object = value.if_object();
  if (!array && !object) return false;
  if (levels == 0) return true;
  if (array)
    return std::any_of(array->begin(), array->end(), [&](const auto& item) { return is_deeper(item, levels - 1); });
  return std::any_of(object->begin(), object->end(),
                     [&](const auto& member) { return is_deeper(member.value(), levels - 1); });
}

// Only such a text can hold a number that is too large for a double: with an exponent, or very long.
bool may_hold_huge(std::string_view text) {
  constexpr std::size_t kLong = 300;
  std::size_t digits = 0;
  for (const char c : text) {
    if (digits > 0 && (c == 'e' || c == 'E')) return true;
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits > kLong) return true;
  }
  return false;
}

bool is_finite(const json::value& value) {
  if (const auto* array = value.if_array()) return std::all_of(array->begin(), array->end(), is_finite);
  if (const auto* object = value.if_object())
    return std::all_of(object->begin(), object->end(), [](const auto& member) { return is_finite(member.value()); });
  return !value.is_double() || std::isfinite(value.get_double());
}

void append_canonical(const json::value& value, std::string& out) {
  if (const auto* object = value.if_object()) {
    std::vector<const json::key_value_pair*> members;
    for (const auto& member : *object) members.push_back(&member);
    std::sort(members.begin(), members.end(), [](const auto* a, const auto* b) { return a->key() < b->key(); });
    out += '{';
    for (const auto* member : members) {
      if (out.back() != '{') out += ',';
      out += json::serialize(member->key());
      out += ':';
      append_canonical(member->value(), out);
    }
    out += '}';
  } else if (const auto* array = value.if_array()) {
    out += '[';
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out += ',';
      append_canonical((*array)[i], out);
    }
    out += ']';
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

json::value parse_json(std::string_view text, const std::string& file) {
  json::parser parser({}, options(kJsonDepthMax + kJsonWrapMax));
  boost::system::error_code error;
  const std::size_t used = parser.write_some(text.data(), text.size(), error);
  if (!error && used < text.size()) error = json::error::extra_data;
  if (error) throw refused("not JSON: " + error.message(), place_of(text, used, file));
  json::value value = parser.release();
  if (may_hold_huge(text) && !is_finite(value))
    throw refused("not JSON that can be kept: a number in it is larger than 1.8e308", Place{.file = file});
  return value;
}

bool is_json(std::string_view text, std::string* why) {
  json::basic_parser<NullHandler> parser(options(kJsonDepthMax));
  boost::system::error_code error;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (!error && used < text.size()) error = json::error::extra_data;
  if (!error && !parser.done()) error = json::error::incomplete;
  if (error && why) *why = error.message() + " at byte " + std::to_string(used);
  return !error;
}

bool is_too_deep(const json::value& value) {
  return is_deeper(value, kJsonDepthMax);
}

std::string canonical(const json::value& value) {
  std::string out;
  append_canonical(value, out);
  return out;
}

}  // namespace godwit::base
