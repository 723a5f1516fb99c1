#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace godwit::expression {

// A piece of a string of a job file. "$${" stands for a literal "${".
struct TextPart {
  enum class Kind { literal, expression, unclosed } kind = Kind::literal;
  std::string text;        // what is between the braces, or the literal as it is meant
  std::size_t offset = 0;  // of an expression: where its text starts in the string
};

// The pieces in their order, no literal empty. A "${" whose brace is never closed ends the list as `unclosed`.
std::vector<TextPart> split_text(std::string_view text);

}  // namespace godwit::expression
