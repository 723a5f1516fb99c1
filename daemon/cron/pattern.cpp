#include "cron/pattern.hpp"

#include <bit>

namespace godwit::cron {
namespace {

using namespace std::chrono;

constexpr std::uint32_t kOncePerWeek = 1u << 1 | 1u << 8 | 1u << 15 | 1u << 22 | 1u << 29;
constexpr int kCycle = 400;  // years after which the Gregorian calendar repeats, weekdays included

constexpr std::uint32_t bits_to(unsigned length) {
  return static_cast<std::uint32_t>((std::uint64_t{2} << length) - 2);
}

// The first bit from `from` on, or -1.
int next_bit(std::uint64_t set, int from) {
  if (from > 63) return -1;
  set &= ~std::uint64_t{0} << from;
  return set == 0 ? -1 : std::countr_zero(set);
}

unsigned first_of(unsigned weekday, unsigned first) {
  return 1 + (weekday + 7 - first) % 7;
}

// The weekday nearest to `day` that does not leave the month.
unsigned nearest_weekday(unsigned day, unsigned first, unsigned length) {
  const unsigned weekday = (first + day - 1) % 7;
  if (weekday == 6) return day > 1 ? day - 1 : day + 2;
  if (weekday == 0) return day < length ? day + 1 : day - 2;
  return day;
}

}  // namespace

std::uint32_t DaySet::of_month(unsigned first, unsigned length) const {
  std::uint32_t set = days;
  for (unsigned back = 0; from_end >> back != 0 && back < length; ++back)
    if (from_end >> back & 1) set |= 1u << (length - back);
  for (int day = next_bit(nearest, 1); day > 0 && day <= static_cast<int>(length); day = next_bit(nearest, day + 1))
    set |= 1u << nearest_weekday(static_cast<unsigned>(day), first, length);
  if (nearest_to_last) set |= 1u << nearest_weekday(length, first, length);
  return set & bits_to(length);
}

std::uint32_t WeekdaySet::of_month(unsigned first, unsigned length) const {
  std::uint32_t set = 0;
  for (unsigned weekday = 0; weekday < 7; ++weekday) {
    const unsigned day = first_of(weekday, first);
    if (every >> weekday & 1) set |= kOncePerWeek << (day - 1);
    for (unsigned n = 0; n < 5; ++n)
      if (nth[n] >> weekday & 1 && day + 7 * n <= length) set |= 1u << (day + 7 * n);
    if (last >> weekday & 1) set |= 1u << (day + (length - day) / 7 * 7);
  }
  return set & bits_to(length);
}

bool Pattern::has_year(int year) const {
  return !years ||
         (year >= kFirstYear && year < kFirstYear + kYears && years->test(static_cast<std::size_t>(year - kFirstYear)));
}

std::uint32_t Pattern::days_of(year_month month) const {
  const unsigned first = weekday(local_days(month / 1)).c_encoding();
  const auto length = static_cast<unsigned>((month / std::chrono::last).day());
  const auto by_day = days.of_month(first, length);
  const auto by_week = weekdays.of_month(first, length);
  return either_day ? by_day | by_week : by_day & by_week;
}

std::optional<seconds> Pattern::next_in_day(std::chrono::seconds from) const {
  const hh_mm_ss time(from);
  int hour = static_cast<int>(time.hours().count());
  int minute = static_cast<int>(time.minutes().count());
  int second = next_bit(seconds, static_cast<int>(time.seconds().count()));
  if (second < 0) ++minute;
  if (!(hours >> hour & 1) || (minute = next_bit(minutes, minute)) < 0) {
    hour = next_bit(hours, hour + 1);
    if (hour < 0) return std::nullopt;
    minute = next_bit(minutes, 0);
  }
  const bool later = hour != time.hours().count() || minute != time.minutes().count();
  if (later || second < 0) second = next_bit(seconds, 0);
  return std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
}

std::optional<WallTime> Pattern::next(WallTime from) const {
  const auto today = floor<std::chrono::days>(from);
  const year_month_day date(today);
  auto time = next_in_day(from - today);
  auto start = static_cast<int>(static_cast<unsigned>(date.day())) + (time ? 0 : 1);
  const int until = std::min(static_cast<int>(date.year()) + kCycle + 1, kFirstYear + kYears);
  if (!time) time = next_in_day(std::chrono::seconds(0));
  for (year_month month(date.year(), date.month()); static_cast<int>(month.year()) < until; start = 1) {
    if (!has_year(static_cast<int>(month.year()))) {
      month = (month.year() + std::chrono::years(1)) / January;
    } else {
      if (months >> static_cast<unsigned>(month.month()) & 1) {
        if (const int day = next_bit(days_of(month), start); day > 0) {
          const local_days found(month / day);
          return found + (found == today ? *time : *next_in_day(std::chrono::seconds(0)));
        }
      }
      month += std::chrono::months(1);
    }
  }
  return std::nullopt;
}

bool Pattern::possible() const {
  if (seconds == 0 || minutes == 0 || hours == 0) return false;
  return next(local_days(year(kFirstYear) / January / 1)).has_value();
}

}  // namespace godwit::cron
