#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::expression {

// A token of Lua as far as it matters for finding the end of a ${...} and the names it reads. What Lua would refuse
// becomes a symbol: Lua itself says what is wrong with it.
struct Token {
  enum class Kind { name, number, text, symbol, end };
  Kind kind = Kind::end;
  std::string_view source;
  std::size_t begin = 0;  // offset of the first byte
  std::string value;      // of a text without escapes: its content

  bool is(std::string_view symbol) const { return kind == Kind::symbol && source == symbol; }
  bool is_word(std::string_view word) const { return kind == Kind::name && source == word; }
};

// All tokens up to the end of `source`, comments left out; the last one is of kind `end`.
std::vector<Token> tokens(std::string_view source);
// The next token at or after `offset`.
Token next_token(std::string_view source, std::size_t offset);
bool is_keyword(std::string_view word);

// The offset of the brace that closes the expression whose first byte is at `begin`, or npos.
std::size_t find_end(std::string_view text, std::size_t begin);

}  // namespace godwit::expression
