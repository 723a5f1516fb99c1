#include "expression/text_parts.hpp"

#include "expression/token.hpp"

namespace godwit::expression {

std::vector<TextPart> split_text(std::string_view text) {
  std::vector<TextPart> parts;
  std::string literal;
  auto flush = [&] {
    if (!literal.empty()) parts.push_back({TextPart::Kind::literal, std::move(literal), 0});
    literal.clear();
  };
  std::size_t at = 0;
  for (;;) {
    const std::size_t dollar = text.find("${", at);
    literal += text.substr(at, dollar == std::string_view::npos ? dollar : dollar - at);
    if (dollar == std::string_view::npos) break;
    if (dollar > at && text[dollar - 1] == '$') {
      literal += '{';
      at = dollar + 2;
      continue;
    }
    flush();
    const std::size_t begin = dollar + 2;
    const std::size_t end = find_end(text, begin);
    if (end == std::string_view::npos) {
      parts.push_back({TextPart::Kind::unclosed, std::string(text.substr(begin)), begin});
      return parts;
    }
    parts.push_back({TextPart::Kind::expression, std::string(text.substr(begin, end - begin)), begin});
    at = end + 1;
  }
  flush();
  return parts;
}

}  // namespace godwit::expression
