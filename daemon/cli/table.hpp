#pragma once
#include <string>
#include <vector>

namespace godwit::cli {

// Columns under headings, aligned by what a terminal shows. Cells are data: they are made printable.
class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string heading;
    Align align = Align::left;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Missing cells are empty.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  // Lines with their line feeds, no space at their ends. With a `width` other than 0 the last column is cut to fit.
  std::string text(std::size_t width = 0) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace godwit::cli
