#pragma once
#include <istream>
#include <optional>
#include <string>
#include <vector>

namespace timetable {

// Reads comma-separated lines: fields in double quotes or bare, a quote inside quotes doubled or after a backslash,
// `\N` or nothing for an unknown value. A line is a record; a broken one costs nothing but itself.
class CsvReader {
 public:
  explicit CsvReader(std::istream& input) : input_(input) {}

  struct Record {
    int line = 0;
    std::vector<std::string> fields;
    std::string problem;  // why the line could not be read; then `fields` is empty
  };

  // The next line that is not empty; nothing at the end.
  std::optional<Record> next();

 private:
  std::istream& input_;
  int line_ = 0;
};

}  // namespace timetable
