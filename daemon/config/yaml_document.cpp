#include "config/yaml_document.hpp"

#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <sstream>

#include "config/yaml_builder.hpp"
#include "config/yaml_text.hpp"

namespace godwit::config {
namespace {

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

// What a plain scalar is by YAML 1.2's core schema: [-+]?[0-9]+, 0o17, 0x1F; or a number with a point or an exponent.
enum class Number { none, integer, octal, hexadecimal, real };

Number number_kind(std::string_view text) {
  if (text.starts_with("0o") && text.size() > 2 && text.find_first_not_of("01234567", 2) == std::string_view::npos)
    return Number::octal;
  if (text.starts_with("0x") && text.size() > 2 &&
      text.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string_view::npos)
    return Number::hexadecimal;
  std::size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  const std::size_t whole = skip_digits(text, at) - at;
  at += whole;
  if (at == text.size()) return whole > 0 ? Number::integer : Number::none;
  std::size_t part = 0;
  if (text[at] == '.') {
    part = skip_digits(text, at + 1) - at - 1;
    at += part + 1;
  }
  if (whole + part == 0) return Number::none;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    const std::size_t end = skip_digits(text, at);
    if (end == at) return Number::none;
    at = end;
  }
  return at == text.size() ? Number::real : Number::none;
}

bool is_infinite(std::string_view text) {
  if (is_one_of(text, {".nan", ".NaN", ".NAN"})) return true;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  return is_one_of(text, {".inf", ".Inf", ".INF"});
}

// The number a text stands for, or what is wrong with it.
struct Parsed {
  json::value value;
  std::string problem;
};

Parsed parse_number(std::string_view text, Number kind) {
  const std::string_view plain = text.starts_with("+") ? text.substr(1) : text;
  const char* end = plain.data() + plain.size();
  if (kind == Number::real) {
    double value = 0;
    const auto result = std::from_chars(plain.data(), end, value);
    if (result.ec != std::errc() || !std::isfinite(value))
      return {nullptr, "the number " + std::string(text) + " does not fit a double"};
    return {value, {}};
  }
  const int base = kind == Number::octal ? 8 : kind == Number::hexadecimal ? 16 : 10;
  const char* begin = plain.data() + (base == 10 ? 0 : 2);
  std::int64_t value = 0;
  if (std::from_chars(begin, end, value, base).ec == std::errc()) return {value, {}};
  std::uint64_t large = 0;
  if (std::from_chars(begin, end, large, base).ec == std::errc()) return {large, {}};
  return {nullptr, "the integer " + std::string(text.substr(0, 40)) + " does not fit 64 bits"};
}

Parsed parse_scalar(const YamlNode& node) {
  if (!node.plain) return {json::value(json::string(node.text)), {}};
  if (node.is_null()) return {};
  if (is_one_of(node.text, {"true", "True", "TRUE"})) return {true, {}};
  if (is_one_of(node.text, {"false", "False", "FALSE"})) return {false, {}};
  if (is_infinite(node.text)) return {nullptr, node.text + " is not a number that JSON has"};
  const Number kind = number_kind(node.text);
  if (kind == Number::none) return {json::value(json::string(node.text)), {}};
  const std::string_view digits = std::string_view(node.text).substr(node.text[0] == '-' || node.text[0] == '+');
  if (kind == Number::integer && digits.size() > 1 && digits[0] == '0')
    return {nullptr, node.text + " can be read as octal, as decimal and as text"};
  return parse_number(node.text, kind);
}

base::Place place_of(const YAML::Mark& mark, const std::string& file) {
  return mark.is_null() ? base::Place{file, 0, 0, {}} : base::Place{file, mark.line + 1, mark.column + 1, {}};
}

}  // namespace

bool YamlNode::is_null() const {
  return kind == Kind::scalar && plain && is_one_of(text, {"", "~", "null", "Null", "NULL"});
}

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const Member& member : members)
    if (member.key == key) return &member.value;
  return nullptr;
}

YamlDocument::YamlDocument(std::string_view text, std::string file, Empty empty) : file_(std::move(file)) {
  text = check_yaml_text(text, file_, kBytesMax);
  std::istringstream stream{std::string(text)};
  YamlBuilder builder(file_);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    throw base::refused("not YAML: " + error.msg, place_of(error.mark, file_));
  }
  if (builder.empty() && empty == Empty::refused) throw base::refused("the file is empty", {file_, 1, 1, {}});
  builder.check_last_quote(text);
  root_ = builder.take();
}

json::value YamlDocument::to_json(const YamlNode& node, const std::string& path, Problems& problems) const {
  if (node.kind == YamlNode::Kind::list) {
    json::array list;
    for (std::size_t i = 0; i < node.items.size(); ++i)
      list.push_back(to_json(node.items[i], base::below(path, i), problems));
    return list;
  }
  if (node.kind == YamlNode::Kind::map) {
    json::object object;
    for (const auto& member : node.members)
      object.emplace(member.key, to_json(member.value, base::below(path, member.key), problems));
    return object;
  }
  Parsed parsed = parse_scalar(node);
  if (!parsed.problem.empty())
    problems.push_back({std::move(parsed.problem), place(node, path), "quote it if it shall be text"});
  return std::move(parsed.value);
}

std::string kind_text(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::list) return "a list";
  if (node.kind == YamlNode::Kind::map) return "a map";
  if (node.is_null()) return "nothing";
  switch (parse_scalar(node).value.kind()) {
    case json::kind::bool_:
      return node.text;
    case json::kind::string:
      return "text";
    default:
      return "a number";
  }
}

}  // namespace godwit::config
