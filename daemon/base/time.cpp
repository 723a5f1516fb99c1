#include "base/time.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

namespace godwit::base {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t microseconds;
};
constexpr std::array kUnits{Unit{"w", 604'800'000'000},
                            Unit{"d", 86'400'000'000},
                            Unit{"h", 3'600'000'000},
                            Unit{"m", 60'000'000},
                            Unit{"s", 1'000'000},
                            Unit{"ms", 1'000},
                            Unit{"us", 1}};

// A thousand years: what is due after one still has a date that everybody can read.
constexpr std::int64_t kDurationMax = 365'000 * kUnits[1].microseconds;

const Unit* find_unit(std::string_view name) {
  for (const auto& unit : kUnits)
    if (unit.name == name) return &unit;
  return nullptr;
}

}  // namespace

std::chrono::nanoseconds thread_cpu_time() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

Instant now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

std::optional<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration(0);
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  while (!text.empty()) {
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc() || count < 0 || text.front() == '-') return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const auto letters = text.find_first_of("0123456789");
    const Unit* unit = find_unit(text.substr(0, letters));
    std::int64_t part = 0;
    if (!unit || __builtin_mul_overflow(count, unit->microseconds, &part) ||
        __builtin_add_overflow(total, part, &total) || total > kDurationMax)
      return std::nullopt;
    text.remove_prefix(unit->name.size());
  }
  return Duration(total);
}

std::string format_duration(Duration duration) {
  std::int64_t rest = duration.count();
  if (rest == 0) return "0";
  std::string text;
  if (rest < 0) {
    text = "-";
    rest = -rest;
  }
  for (const auto& unit : kUnits) {
    if (unit.name == "w" || rest < unit.microseconds) continue;
    text += std::to_string(rest / unit.microseconds);
    text += unit.name;
    rest %= unit.microseconds;
  }
  return text;
}

std::string format_instant(Instant instant) {
  using namespace std::chrono;
  const auto day = floor<days>(instant);
  const year_month_day date(day);
  const hh_mm_ss time(floor<milliseconds>(instant - day));
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return text;
}

std::optional<Instant> parse_instant(std::string_view text) {
  using namespace std::chrono;
  int year = 0, hour = 0, minute = 0, second = 0, used = 0;
  unsigned month = 0, day = 0;
  const std::string copy(text);
  if (std::sscanf(copy.c_str(), "%4d-%2u-%2u%*1[Tt ]%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second,
                  &used) != 6)
    return std::nullopt;
  std::string_view rest = std::string_view(copy).substr(static_cast<std::size_t>(used));
  std::int64_t fraction = 0;
  if (!rest.empty() && rest[0] == '.') {
    rest.remove_prefix(1);
    std::int64_t scale = 100'000;
    for (; !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; rest.remove_prefix(1), scale /= 10)
      fraction += (rest[0] - '0') * scale;
  }
  int offset = 0;
  if (rest != "Z" && rest != "z") {
    int hours = 0, minutes = 0, length = 0;
    char sign = 0;
    const std::string zone(rest);
    if (std::sscanf(zone.c_str(), "%c%2d:%2d%n", &sign, &hours, &minutes, &length) != 3 || (sign != '+' && sign != '-'))
      return std::nullopt;
    if (static_cast<std::size_t>(length) != zone.size()) return std::nullopt;
    offset = (sign == '-' ? -1 : 1) * (hours * 60 + minutes);
  }
  const year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return Instant(sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute - offset) +
                 std::chrono::seconds(second) + microseconds(fraction));
}

}  // namespace godwit::base
