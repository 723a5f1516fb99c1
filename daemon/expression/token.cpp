#include "expression/token.hpp"

#include <algorithm>
#include <array>

namespace godwit::expression {
namespace {

constexpr std::array<std::string_view, 22> kKeywords{
    "and", "break", "do",  "else", "elseif", "end",    "false",  "for",  "function", "goto",  "if",
    "in",  "local", "nil", "not",  "or",     "repeat", "return", "then", "true",     "until", "while"};
// Symbols of more than one character, longest first.
constexpr std::array<std::string_view, 10> kSymbols{"...", "..", "==", "~=", "<=", ">=", "//", "::", "<<", ">>"};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// The end of a long bracket that opens at `at`, or `at` when none does.
std::size_t long_bracket_end(std::string_view source, std::size_t at) {
  std::size_t inner = at + 1;
  while (inner < source.size() && source[inner] == '=') ++inner;
  if (inner >= source.size() || source[inner] != '[') return at;
  const std::string close = "]" + std::string(inner - at - 1, '=') + "]";
  const std::size_t end = source.find(close, inner + 1);
  return end == std::string_view::npos ? source.size() : end + close.size();
}

std::size_t skip_space(std::string_view source, std::size_t at) {
  for (;;) {
    while (at < source.size() && is_space(source[at])) ++at;
    if (source.substr(at, 2) != "--") return at;
    at += 2;
    if (at < source.size() && source[at] == '[') {
      const std::size_t end = long_bracket_end(source, at);
      if (end != at) {
        at = end;
        continue;
      }
    }
    at = std::min(source.find('\n', at), source.size());
  }
}

Token quoted(std::string_view source, std::size_t at) {
  Token token{Token::Kind::text, {}, at, {}};
  std::size_t end = at + 1;
  bool escaped = false;
  while (end < source.size() && source[end] != source[at] && source[end] != '\n') {
    if (source[end] == '\\') {
      escaped = true;
      ++end;
    }
    ++end;
  }
  end = std::min(end + 1, source.size());
  token.source = source.substr(at, end - at);
  if (!escaped && token.source.size() >= 2) token.value = token.source.substr(1, token.source.size() - 2);
  return token;
}

std::size_t number_end(std::string_view source, std::size_t at) {
  const bool hex = source[at] == '0' && at + 1 < source.size() && (source[at + 1] | 0x20) == 'x';
  while (at < source.size()) {
    const char c = source[at];
    const bool exponent = (c | 0x20) == (hex ? 'p' : 'e');
    // A second dot after a number is the concatenation operator with its space left out, which Lua refuses; it is told
    // there.
    if (!is_digit(c) && !is_letter(c) && c != '.') break;
    ++at;
    if (exponent && at < source.size() && (source[at] == '+' || source[at] == '-')) ++at;
  }
  return at;
}

}  // namespace

bool is_keyword(std::string_view word) {
  return std::find(kKeywords.begin(), kKeywords.end(), word) != kKeywords.end();
}

Token next_token(std::string_view source, std::size_t offset) {
  const std::size_t at = skip_space(source, offset);
  if (at >= source.size()) return Token{Token::Kind::end, {}, source.size(), {}};
  const char c = source[at];
  if (is_letter(c)) {
    std::size_t end = at + 1;
    while (end < source.size() && (is_letter(source[end]) || is_digit(source[end]))) ++end;
    return Token{Token::Kind::name, source.substr(at, end - at), at, {}};
  }
  if (is_digit(c) || (c == '.' && at + 1 < source.size() && is_digit(source[at + 1])))
    return Token{Token::Kind::number, source.substr(at, number_end(source, at) - at), at, {}};
  if (c == '"' || c == '\'') return quoted(source, at);
  if (c == '[') {
    const std::size_t end = long_bracket_end(source, at);
    if (end != at) return Token{Token::Kind::text, source.substr(at, end - at), at, {}};
  }
  for (const auto symbol : kSymbols)
    if (source.substr(at, symbol.size()) == symbol)
      return Token{Token::Kind::symbol, source.substr(at, symbol.size()), at, {}};
  return Token{Token::Kind::symbol, source.substr(at, 1), at, {}};
}

std::vector<Token> tokens(std::string_view source) {
  std::vector<Token> result;
  std::size_t at = 0;
  do {
    result.push_back(next_token(source, at));
    at = result.back().begin + result.back().source.size();
  } while (result.back().kind != Token::Kind::end);
  return result;
}

std::size_t find_end(std::string_view text, std::size_t begin) {
  std::size_t depth = 0;
  for (std::size_t at = begin;;) {
    const Token token = next_token(text, at);
    if (token.kind == Token::Kind::end) return std::string_view::npos;
    if (token.is("}") && depth-- == 0) return token.begin;
    if (token.is("{")) ++depth;
    at = token.begin + token.source.size();
  }
}

}  // namespace godwit::expression
