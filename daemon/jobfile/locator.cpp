#include "jobfile/locator.hpp"

#include <algorithm>

#include "expression/text_parts.hpp"

namespace godwit::jobfile {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

Locator::Locator(std::string_view text, std::string file) : text_(text), file_(std::move(file)), lines_{0} {
  if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  for (std::size_t at = text_.find('\n'); at != std::string_view::npos; at = text_.find('\n', at + 1))
    lines_.push_back(at + 1);
}

std::size_t Locator::offset_of(int line, int column) const {
  if (line < 1 || static_cast<std::size_t>(line) > lines_.size()) return text_.size();
  return std::min(lines_[static_cast<std::size_t>(line) - 1] + static_cast<std::size_t>(std::max(column, 1)) - 1,
                  text_.size());
}

base::Place Locator::place_of(std::size_t offset, const std::string& path) const {
  const auto line = std::upper_bound(lines_.begin(), lines_.end(), offset) - lines_.begin();
  return {file_, static_cast<int>(line), static_cast<int>(offset - lines_[static_cast<std::size_t>(line) - 1]) + 1,
          path};
}

std::vector<base::Place> Locator::expressions(const config::YamlNode& node, const std::string& path) const {
  std::vector<base::Place> places;
  std::size_t raw = offset_of(node.line, node.column);
  std::size_t in_value = 0;
  for (const auto& part : expression::split_text(node.text)) {
    if (part.kind == expression::TextPart::Kind::literal) continue;
    // The n-th "${" of the value is the n-th of the file's text from there on.
    for (; in_value < part.offset; ++in_value) {
      if (node.text.compare(in_value, 2, "${") != 0) continue;
      raw = text_.find("${", raw);
      if (raw == std::string_view::npos) return places;
      raw += 2;
    }
    places.push_back(place_of(raw, path));
  }
  return places;
}

base::Place Locator::inside(const base::Place& start, std::string_view expression, std::size_t offset) const {
  std::size_t raw = offset_of(start.line, start.column);
  for (const char c : expression.substr(0, offset)) {
    if (is_space(c)) continue;
    while (raw < text_.size() && is_space(text_[raw])) ++raw;
    if (raw >= text_.size() || text_[raw] != c) return start;
    ++raw;
  }
  if (offset < expression.size() && !is_space(expression[offset]))
    while (raw < text_.size() && is_space(text_[raw])) ++raw;
  return place_of(raw, start.path);
}

}  // namespace godwit::jobfile
