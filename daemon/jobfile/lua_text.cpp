#include "jobfile/lua_text.hpp"

#include <algorithm>
#include <array>

#include "base/json_text.hpp"
#include "expression/text_parts.hpp"

namespace godwit::jobfile {
namespace {

constexpr std::size_t kLineMax = 100;
constexpr std::array<std::string_view, 22> kReserved{
    "and", "break", "do",  "else", "elseif", "end",    "false",  "for",  "function", "goto",  "if",
    "in",  "local", "nil", "not",  "or",     "repeat", "return", "then", "true",     "until", "while"};

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin));
}

// A text with ${...}, as a Lua expression. What is put in goes through as_text, a function of the script: tostring
// gives no more than "table" of a list, and "nil" of what YAML calls null.
std::string text_template(std::string_view text) {
  using expression::TextPart;
  const auto parts = expression::split_text(text);
  if (parts.size() == 1 && parts[0].kind != TextPart::Kind::literal) return trimmed(parts[0].text);
  std::string result;
  for (const auto& part : parts) {
    if (!result.empty()) result += " .. ";
    result += part.kind == TextPart::Kind::literal ? lua_string(part.text) : "as_text(" + trimmed(part.text) + ")";
  }
  return result.empty() ? "\"\"" : result;
}

class Writer {
 public:
  explicit Writer(bool expressions) : expressions_(expressions) {}

  std::string write(const json::value& value, std::size_t indent) const {
    const std::string line = one_line(value);
    const bool is_table = value.is_structured();
    if (!is_table || line.size() + indent <= kLineMax) return line;
    const std::string inner(indent + 2, ' ');
    std::string text = "{\n";
    if (const auto* object = value.if_object())
      for (const auto& [key, member] : *object)
        text += inner + lua_key(key) + " = " + write(member, indent + 2) + ",\n";
    else
      for (const auto& item : value.get_array()) text += inner + write(item, indent + 2) + ",\n";
    return text + std::string(indent, ' ') + "}";
  }

 private:
  std::string one_line(const json::value& value) const {
    if (value.is_null()) return "gw.null";
    if (value.is_string()) return expressions_ ? text_template(value.get_string()) : lua_string(value.get_string());
    std::string text;
    if (const auto* object = value.if_object()) {
      for (const auto& [key, member] : *object)
        text += (text.empty() ? "" : ", ") + lua_key(key) + " = " + one_line(member);
      return "{" + text + "}";
    }
    if (const auto* array = value.if_array()) {
      for (const auto& item : *array) text += (text.empty() ? "" : ", ") + one_line(item);
      return array->empty() ? "gw.array {}" : "{" + text + "}";
    }
    return base::serialize(value);
  }

  bool expressions_;
};

}  // namespace

std::string lua_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      const std::string code = std::to_string(byte);
      result += "\\" + std::string(3 - code.size(), '0') + code;
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string lua_key(std::string_view name) {
  const bool plain =
      !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
      std::all_of(name.begin(), name.end(),
                  [](char c) {
                    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
                  }) &&
      std::find(kReserved.begin(), kReserved.end(), name) == kReserved.end();
  return plain ? std::string(name) : "[" + lua_string(name) + "]";
}

std::string lua_value(const json::value& value, std::size_t indent) {
  return Writer(false).write(value, indent);
}

std::string lua_template(const json::value& value, std::size_t indent) {
  return Writer(true).write(value, indent);
}

}  // namespace godwit::jobfile
