#include "base/pretty.hpp"

#include <utility>

#include "base/json_text.hpp"

namespace godwit::base {
namespace {

constexpr std::size_t kOneLine = 100;

void append_pretty(const json::value& value, std::size_t indent, std::string& out) {
  const std::string line = base::serialize(value);
  if (!value.is_structured() || line.size() + indent <= kOneLine) {
    out += line;
    return;
  }
  const std::string inner(indent + 2, ' ');
  bool first = true;
  if (const auto* object = value.if_object()) {
    out += "{\n";
    for (const auto& member : *object) {
      if (!std::exchange(first, false)) out += ",\n";
      out += inner + base::serialize(std::string_view(member.key())) + ": ";
      append_pretty(member.value(), indent + 2, out);
    }
  } else {
    out += "[\n";
    for (const auto& entry : value.get_array()) {
      if (!std::exchange(first, false)) out += ",\n";
      out += inner;
      append_pretty(entry, indent + 2, out);
    }
  }
  out += "\n" + std::string(indent, ' ') + (value.is_object() ? "}" : "]");
}

}  // namespace

std::string pretty(const json::value& value) {
  std::string out;
  append_pretty(value, 0, out);
  return out;
}

}  // namespace godwit::base
