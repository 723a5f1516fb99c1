#include "cli/table.hpp"

#include <algorithm>

#include "base/terminal.hpp"

namespace godwit::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kLastColumnLeast = 10;

}  // namespace

void Table::add(std::vector<std::string> cells) {
  for (auto& cell : cells) cell = base::printable(cell);
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text(std::size_t width) const {
  std::vector<std::size_t> widths;
  std::size_t before_last = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t widest = base::display_width(columns_[i].heading);
    for (const auto& row : rows_) widest = std::max(widest, base::display_width(row[i]));
    widths.push_back(widest);
    if (i + 1 < columns_.size()) before_last += widest + kGap;
  }
  if (width > 0 && before_last + widths.back() > width) {
    widths.back() = width > before_last + kLastColumnLeast ? width - before_last : kLastColumnLeast;
  }
  std::string out;
  const auto add_line = [&](auto cell_of) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string cell = i + 1 == columns_.size() ? base::fit(cell_of(i), widths[i]) : std::string(cell_of(i));
      const std::string padding(widths[i] - std::min(widths[i], base::display_width(cell)), ' ');
      if (i > 0) line.append(kGap, ' ');
      line += columns_[i].align == Align::right ? padding + cell : cell + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  };
  add_line([&](std::size_t i) -> const std::string& { return columns_[i].heading; });
  for (const auto& row : rows_) add_line([&](std::size_t i) -> const std::string& { return row[i]; });
  return out;
}

}  // namespace godwit::cli
