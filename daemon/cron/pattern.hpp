#pragma once
#include <bitset>
#include <chrono>
#include <cstdint>
#include <optional>

namespace godwit::cron {

// What a clock on the wall shows: seconds since 1970-01-01T00:00 by that clock.
using WallTime = std::chrono::local_seconds;

// The days of a month that a pattern names, in the ways cron and systemd have of saying it.
struct DaySet {
  std::uint32_t days = 0;      // bit d: the d-th
  std::uint32_t from_end = 0;  // bit n: n days before the last; bit 0 is the last
  std::uint32_t nearest = 0;   // bit d: the weekday (Monday to Friday) nearest to the d-th within the month
  bool nearest_to_last = false;

  // Bit d for each of the `length` days; `first` is the weekday of the 1st, 0 for Sunday.
  std::uint32_t of_month(unsigned first, unsigned length) const;
};

// The days of a week that a pattern names: all of a month, the n-th or the last of a month. Bit 0 is Sunday.
struct WeekdaySet {
  std::uint8_t every = 0;
  std::uint8_t nth[5] = {};
  std::uint8_t last = 0;

  std::uint32_t of_month(unsigned first, unsigned length) const;
};

// A set of wall-clock times, by their parts; what cron expressions, systemd's calendar expressions and single dates
// become. A value: safe to read from several threads.
struct Pattern {
  static constexpr int kFirstYear = 1970;
  static constexpr int kYears = 1000;

  std::uint64_t seconds = 1;  // bit s
  std::uint64_t minutes = 0;
  std::uint32_t hours = 0;
  std::uint16_t months = 0;  // bit m, from 1
  DaySet days;
  WeekdaySet weekdays;
  bool either_day = false;                   // Vixie's rule: a day is meant when one of the two sets names it
  std::optional<std::bitset<kYears>> years;  // all of them when absent

  // The first time of the set from `from` on. Empty when none follows within 400 years, after which the calendar
  // repeats, or before the year 2970: so it always comes to an end.
  std::optional<WallTime> next(WallTime from) const;
  // Whether some wall time belongs to the set: 30 February does not.
  bool possible() const;
  // Such a pattern measures time that passes; clock changes neither double nor drop any of it.
  bool every_hour() const { return hours == 0xffffff; }

 private:
  std::optional<std::chrono::seconds> next_in_day(std::chrono::seconds from) const;
  std::uint32_t days_of(std::chrono::year_month month) const;
  bool has_year(int year) const;
};

}  // namespace godwit::cron
