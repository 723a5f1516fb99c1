#include <string_view>
#include <vector>

#include "check/value_maker.hpp"

namespace godwit::check {
namespace {

// Walks a regular expression and writes one of the texts it matches.
class PatternText {
 public:
  PatternText(std::string_view pattern, std::mt19937_64& random) : pattern_(pattern), random_(random) {}

  std::string alternatives() {
    std::vector<std::string> texts{sequence()};
    while (at_ < pattern_.size() && pattern_[at_] == '|') {
      ++at_;
      texts.push_back(sequence());
    }
    return texts[below(texts.size())];
  }

 private:
  std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_); }

  std::string sequence() {
    std::string text;
    while (at_ < pattern_.size() && pattern_[at_] != '|' && pattern_[at_] != ')') {
      const std::size_t begin = at_;
      std::string piece = atom();
      const std::size_t after = at_;
      const std::size_t count = repetitions();
      const std::size_t end = at_;
      if (count == 0) continue;
      text += piece;
      // Each repetition is a choice of its own.
      for (std::size_t i = 1; i < count; ++i) {
        at_ = begin;
        text += atom();
      }
      at_ = end;
      (void)after;
    }
    return text;
  }

  std::string atom() {
    const char c = pattern_[at_++];
    if (c == '^' || c == '$') return {};
    if (c == '.') return std::string(1, static_cast<char>('a' + below(26)));
    if (c == '[') return set();
    if (c == '\\') return escape();
    if (c != '(') return std::string(1, c);
    if (pattern_.substr(at_, 2) == "?:") at_ += 2;
    std::string inner = alternatives();
    if (at_ < pattern_.size()) ++at_;
    return inner;
  }

  std::string escape() {
    if (at_ >= pattern_.size()) return {};
    const char c = pattern_[at_++];
    if (c == 'd') return std::string(1, static_cast<char>('0' + below(10)));
    if (c == 'w') return std::string(1, static_cast<char>('a' + below(26)));
    if (c == 's') return " ";
    if (c == 'S' || c == 'D') return "x";
    if (c == 'b' || c == 'B') return {};
    return std::string(1, c);
  }

  std::string set() {
    const bool negated = at_ < pattern_.size() && pattern_[at_] == '^';
    if (negated) ++at_;
    std::string members;
    bool first = true;
    while (at_ < pattern_.size() && (pattern_[at_] != ']' || first)) {
      first = false;
      if (pattern_[at_] == '\\') {
        ++at_;
        members += escape();
      } else if (at_ + 2 < pattern_.size() && pattern_[at_ + 1] == '-' && pattern_[at_ + 2] != ']') {
        for (int c = pattern_[at_]; c <= pattern_[at_ + 2]; ++c) members += static_cast<char>(c);
        at_ += 3;
      } else {
        members += pattern_[at_++];
      }
    }
    if (at_ < pattern_.size()) ++at_;
    if (!negated) return members.empty() ? std::string() : std::string(1, members[below(members.size())]);
    for (char c = 'a'; c <= 'z'; ++c)
      if (members.find(c) == std::string::npos) return std::string(1, c);
    return "~";
  }

  std::size_t repetitions() {
    if (at_ >= pattern_.size()) return 1;
    const char c = pattern_[at_];
    std::size_t least = 1, most = 1;
    if (c == '?') {
      least = 0;
    } else if (c == '*') {
      least = 0, most = 4;
    } else if (c == '+') {
      most = 5;
    } else if (c == '{') {
      ++at_;
      least = number();
      most = least;
      if (at_ < pattern_.size() && pattern_[at_] == ',') {
        ++at_;
        most = at_ < pattern_.size() && pattern_[at_] == '}' ? least + 4 : number();
      }
    } else {
      return 1;
    }
    ++at_;
    if (at_ < pattern_.size() && pattern_[at_] == '?') ++at_;
    return least + (most > least ? below(most - least + 1) : 0);
  }

  std::size_t number() {
    std::size_t value = 0;
    while (at_ < pattern_.size() && pattern_[at_] >= '0' && pattern_[at_] <= '9')
      value = std::min<std::size_t>(10'000, value * 10 + static_cast<std::size_t>(pattern_[at_++] - '0'));
    return value;
  }

  std::string_view pattern_;
  std::mt19937_64& random_;
  std::size_t at_ = 0;
};

}  // namespace

std::string text_matching(const std::string& pattern, std::mt19937_64& random) {
  return PatternText(pattern, random).alternatives();
}

}  // namespace godwit::check
