#include "expression/references.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "expression/functions.hpp"

namespace godwit::expression {
namespace {

// The names that `local`, `for` and parameter lists declare anywhere in the expression. One that is declared in one
// part and read from outside in another counts as declared: whoever does that finds out when it runs.
std::set<std::string_view> declared_names(const std::vector<Token>& tokens) {
  std::set<std::string_view> result;
  auto take_names = [&](std::size_t at) {
    for (; tokens[at].kind == Token::Kind::name && !is_keyword(tokens[at].source); at += 2) {
      result.insert(tokens[at].source);
      if (!tokens[at + 1].is(",")) return;
    }
  };
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    if (tokens[i].is_word("local") || tokens[i].is_word("for")) {
      take_names(tokens[i + 1].is_word("function") ? i + 2 : i + 1);
    } else if (tokens[i].is_word("function")) {
      std::size_t open = i + 1;
      while (open < tokens.size() - 1 && !tokens[open].is("(")) ++open;
      if (open < tokens.size() - 1) take_names(open + 1);
    }
  }
  return result;
}

// Whether the name at `at` is a field, a key of a table that is being made, a label or an attribute: no variable.
bool is_field(const std::vector<Token>& tokens, std::size_t at) {
  const Token& next = tokens[at + 1];
  if (at == 0) return false;
  const Token& before = tokens[at - 1];
  if (before.is(".") || before.is(":") || before.is("::") || before.is_word("goto")) return true;
  if (before.is("<") && next.is(">") && (tokens[at].is_word("const") || tokens[at].is_word("close"))) return true;
  return next.is("=") && (before.is("{") || before.is(",") || before.is(";"));
}

std::string member_after(const std::vector<Token>& tokens, std::size_t at) {
  if (tokens[at + 1].is(".") && tokens[at + 2].kind == Token::Kind::name) return std::string(tokens[at + 2].source);
  if (!tokens[at + 1].is("[")) return {};
  const bool literal =
      tokens[at + 2].kind == Token::Kind::text && !tokens[at + 2].value.empty() && tokens[at + 3].is("]");
  return literal ? tokens[at + 2].value : "*";
}

// A decimal index as people write it; others are left to Lua.
std::int64_t small_index(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

// Follows the members and indexes that stand fixed behind the name at `at`; gives where the path ends.
std::size_t follow_path(const std::vector<Token>& tokens, std::size_t at, std::vector<PathStep>& path) {
  path.push_back({std::string(tokens[at++].source), 0});
  while (tokens[at].kind != Token::Kind::end) {
    const Token& next = tokens[at + 1];
    if (tokens[at].is(".") && next.kind == Token::Kind::name && !is_keyword(next.source)) {
      path.push_back({std::string(next.source), 0});
      at += 2;
      continue;
    }
    if (!tokens[at].is("[") || next.kind == Token::Kind::end || !tokens[at + 2].is("]")) break;
    if (next.kind == Token::Kind::text && !next.value.empty()) {
      path.push_back({next.value, 0});
    } else if (const auto index = next.kind == Token::Kind::number ? small_index(next.source) : 0; index > 0) {
      path.push_back({{}, index});
    } else {
      break;
    }
    at += 3;
  }
  return at;
}

// Calls `take` with the place of each name that is read from outside.
template <typename Take>
void each_read(const std::vector<Token>& tokens, Take take) {
  const auto declared = declared_names(tokens);
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    const Token& token = tokens[i];
    if (token.kind != Token::Kind::name || is_keyword(token.source) || is_field(tokens, i)) continue;
    if (!declared.contains(token.source) && !is_function(token.source)) take(i);
  }
}

}  // namespace

std::vector<Reference> find_references(const std::vector<Token>& tokens) {
  std::vector<Reference> result;
  each_read(tokens, [&](std::size_t at) {
    result.push_back({std::string(tokens[at].source), member_after(tokens, at)});
  });
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

std::vector<std::vector<PathStep>> find_reads(const std::vector<Token>& tokens) {
  std::vector<std::vector<PathStep>> result;
  each_read(tokens, [&](std::size_t at) { follow_path(tokens, at, result.emplace_back()); });
  return result;
}

std::vector<PathStep> find_path(const std::vector<Token>& tokens) {
  if (tokens[0].kind != Token::Kind::name || is_keyword(tokens[0].source) || is_function(tokens[0].source)) return {};
  std::vector<PathStep> path;
  if (tokens[follow_path(tokens, 0, path)].kind != Token::Kind::end) return {};
  return path;
}

}  // namespace godwit::expression
