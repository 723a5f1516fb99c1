#include "store/values.hpp"

#include <charconv>
#include <stdexcept>

namespace godwit::store {
namespace {

// Reads up to `width` digits at `position` and steps over them.
std::int64_t digits(std::string_view text, std::size_t& position, std::size_t width) {
  std::int64_t value = 0;
  const std::size_t start = position;
  while (position < text.size() && position - start < width && text[position] >= '0' && text[position] <= '9')
    value = value * 10 + (text[position++] - '0');
  if (position == start) throw std::runtime_error("not a timestamp: " + std::string(text));
  return value;
}

}  // namespace

base::Instant parse_timestamp(std::string_view text) {
  using namespace std::chrono;
  // "2026-11-22 17:07:38.123456+00"
  std::size_t at = 0;
  const auto number = [&](std::size_t width, char after) {
    const auto value = digits(text, at, width);
    if (after != '\0' && (at >= text.size() || text[at++] != after))
      throw std::runtime_error("not a timestamp: " + std::string(text));
    return value;
  };
  const year_month_day date{year(static_cast<int>(number(6, '-'))), month(static_cast<unsigned>(number(2, '-'))),
                            day(static_cast<unsigned>(number(2, ' ')))};
  const auto hour = number(2, ':'), minute = number(2, ':'), second = number(2, '\0');
  std::int64_t fraction = 0;
  if (at < text.size() && text[at] == '.') {
    const std::size_t start = ++at;
    fraction = digits(text, at, 6);
    for (std::size_t width = at - start; width < 6; ++width) fraction *= 10;
  }
  if (text.substr(at) != "+00") throw std::runtime_error("not a timestamp in UTC: " + std::string(text));
  return base::Instant(sys_days(date)) + hours(hour) + minutes(minute) + seconds(second) + microseconds(fraction);
}

base::Instant instant(const pqxx::field& field) {
  return field.is_null() ? base::Instant{} : parse_timestamp(view(field));
}

std::int64_t integer(const pqxx::field& field) {
  std::int64_t value = 0;
  const auto content = view(field);
  std::from_chars(content.data(), content.data() + content.size(), value);
  return value;
}

base::json::value json_value(const pqxx::field& field) {
  if (field.is_null()) return nullptr;
  try {
    return base::parse_json(view(field));
  } catch (const base::Error&) {
    return json_text(field);
  }
}

base::json::value json_text(const pqxx::field& field) {
  if (field.is_null()) return nullptr;
  return base::json::string(view(field));
}

base::json::value json_instant(const pqxx::field& field) {
  if (field.is_null()) return nullptr;
  return base::json::string(base::format_instant(instant(field)));
}

pqxx::binarystring parameter(ArrayColumn& column) {
  const auto bytes = column.bytes();
  return {bytes.data(), bytes.size()};
}

std::vector<pqxx::binarystring> parameters(const std::vector<ArrayColumn*>& columns) {
  std::vector<pqxx::binarystring> values;
  values.reserve(columns.size());
  for (auto* column : columns) values.push_back(parameter(*column));
  return values;
}

pqxx::binarystring array_of(const std::vector<std::int64_t>& values) {
  ArrayColumn column(ColumnType::bigint);
  for (const auto value : values) column.add(value);
  return parameter(column);
}

}  // namespace godwit::store
