#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace timetable {

// A calendar day, counted from 1970-01-01.
struct Day {
  int number = 0;

  // "2027-05-14" and nothing else; days that do not exist and years outside 2000-2037 (as far as zone files reach) are
  // refused.
  static std::optional<Day> parse(std::string_view text);
  std::string text() const;
  int weekday() const;  // 0 is Monday
  int month() const;    // 1 is January
  int day_of_month() const;

  auto operator<=>(const Day&) const = default;
};

}  // namespace timetable
