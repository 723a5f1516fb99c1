#include "timetable/csv.hpp"

#include <string_view>

namespace timetable {
namespace {

constexpr std::size_t kLineMax = 16 * 1024;

// Whether the bytes are UTF-8 as RFC 3629 has it; other text could not be passed on as JSON.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const int more = byte < 0x80                    ? 0
                     : byte >= 0xc2 && byte <= 0xdf ? 1
                     : byte >= 0xe0 && byte <= 0xef ? 2
                     : byte >= 0xf0 && byte <= 0xf4 ? 3
                                                    : -1;
    if (more < 0 || i + static_cast<std::size_t>(more) >= text.size()) return false;
    for (int k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + static_cast<std::size_t>(k)]);
      const unsigned char low = k > 1 ? 0x80 : byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
      const unsigned char high = k > 1 ? 0xbf : byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
      if (next < low || next > high) return false;
    }
    i += static_cast<std::size_t>(more) + 1;
  }
  return true;
}

// Takes one quoted field off the front of `rest`, which begins with the quote. False when the quote is never closed.
bool take_quoted(std::string_view& rest, std::string& field) {
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '\\' && i + 1 < rest.size()) {
      field += rest[++i];
    } else if (rest[i] != '"') {
      field += rest[i];
    } else if (i + 1 < rest.size() && rest[i + 1] == '"') {
      field += rest[++i];
    } else {
      rest.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

std::string split(std::string_view rest, std::vector<std::string>& fields) {
  while (true) {
    std::string field;
    if (!rest.empty() && rest.front() == '"') {
      if (!take_quoted(rest, field)) return "a quote is not closed";
      if (!rest.empty() && rest.front() != ',') return "text follows a closing quote";
    } else {
      field = std::string(rest.substr(0, rest.find(',')));
      rest.remove_prefix(field.size());
      if (field == "\\N") field.clear();
    }
    fields.push_back(std::move(field));
    if (rest.empty()) return {};
    rest.remove_prefix(1);
  }
}

}  // namespace

std::optional<CsvReader::Record> CsvReader::next() {
  std::string text;
  while (std::getline(input_, text)) {
    ++line_;
    if (line_ == 1 && text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
    if (!text.empty() && text.back() == '\r') text.pop_back();
    if (text.empty()) continue;
    Record record{line_, {}, {}};
    if (text.size() > kLineMax)
      record.problem = "the line is longer than 16 KiB";
    else if (!is_utf8(text))
      record.problem = "the line is not UTF-8";
    else
      record.problem = split(text, record.fields);
    if (!record.problem.empty()) record.fields.clear();
    return record;
  }
  return std::nullopt;
}

}  // namespace timetable
