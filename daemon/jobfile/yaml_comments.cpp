#include "jobfile/yaml_comments.hpp"

#include <algorithm>

namespace godwit::jobfile {
namespace {

// Where the comment of a line begins: a # at its start or after a blank, outside of quotes.
std::size_t find_comment(std::string_view line) {
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == '\\' && quote == '"') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      // An apostrophe inside a word quotes nothing.
      if (i == 0 || std::string_view(" \t[{,:").find(line[i - 1]) != std::string_view::npos) quote = c;
    } else if (c == '#' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t')) {
      return i;
    }
  }
  return std::string_view::npos;
}

}  // namespace

YamlComments::YamlComments(std::string_view text) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    Line entry;
    const auto at = find_comment(line);
    entry.has_comment = at != std::string_view::npos;
    entry.alone = entry.has_comment && line.find_first_not_of(" \t") == at;
    if (entry.has_comment) {
      std::string_view comment = line.substr(at + 1);
      if (comment.starts_with(' ')) comment.remove_prefix(1);
      entry.comment = comment.substr(0, comment.find_last_not_of(" \t\r") + 1);
    }
    lines_.push_back(std::move(entry));
  }
}

std::vector<std::string> YamlComments::between(int first, int end) const {
  std::vector<std::string> found;
  for (int line = std::max(first, 1); line < std::min(end, this->end()); ++line)
    if (const auto& entry = lines_[static_cast<std::size_t>(line - 1)]; entry.has_comment)
      found.push_back(entry.comment);
  return found;
}

int YamlComments::first_above(int line) const {
  while (line > 1 && lines_[static_cast<std::size_t>(line - 2)].alone) --line;
  return line;
}

}  // namespace godwit::jobfile
