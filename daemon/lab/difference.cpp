#include "lab/difference.hpp"

#include <algorithm>

#include "base/json_text.hpp"
#include "base/terminal.hpp"

namespace godwit::lab {
namespace {

constexpr std::size_t kShownMax = 160;
constexpr std::size_t kLinesMax = 20;

class Comparison {
 public:
  explicit Comparison(Match match) : match_(match) {}

  void compare(const json::value& expected, const json::value& got, const std::string& path) {
    if (expected.is_object() && got.is_object()) return objects(expected.get_object(), got.get_object(), path);
    if (expected.is_array() && got.is_array()) return lists(expected.get_array(), got.get_array(), path);
    // 2 and 2.0 are one number, whatever computed them.
    const bool equal = expected.is_number() && got.is_number()
                           ? expected == got || expected.to_number<double>() == got.to_number<double>()
                           : expected == got;
    if (!equal) add(path, "expected " + shown(expected) + ", got " + shown(got));
  }

  std::vector<std::string> lines() && {
    if (left_out_ > 0) lines_.push_back("and " + std::to_string(left_out_) + " more differences");
    return std::move(lines_);
  }

 private:
  void objects(const json::object& expected, const json::object& got, const std::string& path) {
    for (const auto& [key, value] : expected) {
      const std::string here = base::below(path, key);
      if (const auto* other = got.if_contains(key))
        compare(value, *other, here);
      else
        add(here, "expected " + shown(value) + ", got nothing");
    }
    if (match_ == Match::part) return;
    for (const auto& [key, value] : got)
      if (!expected.contains(key)) add(base::below(path, key), "expected nothing, got " + shown(value));
  }

  void lists(const json::array& expected, const json::array& got, const std::string& path) {
    for (std::size_t i = 0; i < std::max(expected.size(), got.size()); ++i) {
      const std::string here = base::below(path, i);
      if (i >= got.size())
        add(here, "expected " + shown(expected[i]) + ", got nothing");
      else if (i >= expected.size())
        add(here, "expected nothing, got " + shown(got[i]));
      else
        compare(expected[i], got[i], here);
    }
  }

  void add(const std::string& path, const std::string& what) {
    if (lines_.size() < kLinesMax)
      lines_.push_back(path + ": " + what);
    else
      ++left_out_;
  }

  Match match_;
  std::vector<std::string> lines_;
  std::size_t left_out_ = 0;
};

}  // namespace

std::string shown(const json::value& value) {
  return base::fit(base::serialize(value), kShownMax);
}

std::vector<std::string> differences(const json::value& expected, const json::value& got, Match match,
                                     const std::string& path) {
  Comparison comparison(match);
  comparison.compare(expected, got, path);
  return std::move(comparison).lines();
}

}  // namespace godwit::lab
