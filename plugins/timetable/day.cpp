#include "timetable/day.hpp"

#include <charconv>
#include <chrono>
#include <cstdio>

namespace timetable {
namespace {

using namespace std::chrono;

year_month_day civil(const Day& day) {
  return year_month_day(sys_days(days(day.number)));
}

std::optional<int> number_at(std::string_view text, std::size_t begin, std::size_t length) {
  int value = 0;
  const char* end = text.data() + begin + length;
  const auto result = std::from_chars(text.data() + begin, end, value);
  if (result.ec != std::errc() || result.ptr != end || value < 0) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Day> Day::parse(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto y = number_at(text, 0, 4);
  const auto m = number_at(text, 5, 2);
  const auto d = number_at(text, 8, 2);
  if (!y || !m || !d || *y < 2000 || *y > 2037) return std::nullopt;
  const year_month_day date(year(*y), std::chrono::month(static_cast<unsigned>(*m)),
                            std::chrono::day(static_cast<unsigned>(*d)));
  if (!date.ok()) return std::nullopt;
  return Day{static_cast<int>(sys_days(date).time_since_epoch().count())};
}

std::string Day::text() const {
  const year_month_day date = civil(*this);
  char buffer[16];
  std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()) % 100, static_cast<unsigned>(date.day()) % 100);
  return buffer;
}

int Day::weekday() const {
  return static_cast<int>(std::chrono::weekday(sys_days(days(number))).iso_encoding()) - 1;
}
int Day::month() const {
  return static_cast<int>(static_cast<unsigned>(civil(*this).month()));
}
int Day::day_of_month() const {
  return static_cast<int>(static_cast<unsigned>(civil(*this).day()));
}

}  // namespace timetable
