#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace godwit::jobfile {

// The comments of a YAML text by their lines, which the YAML reader drops.
class YamlComments {
 public:
  explicit YamlComments(std::string_view text);

  // Those of the lines from `first` to before `end` (counted from 1), each without its #.
  std::vector<std::string> between(int first, int end) const;
  // The first of the comments that stand alone on the lines right above `line`, or `line` itself.
  int first_above(int line) const;
  int end() const { return static_cast<int>(lines_.size()) + 1; }

 private:
  struct Line {
    std::string comment;
    bool has_comment = false;
    bool alone = false;
  };
  std::vector<Line> lines_;
};

}  // namespace godwit::jobfile
