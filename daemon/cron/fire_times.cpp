#include "cron/fire_times.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdio>

#include "base/error.hpp"
#include "cron/expression.hpp"
#include "cron/on_calendar.hpp"

namespace godwit::cron {
namespace {

using std::chrono::seconds;

constexpr seconds kShortestInterval{1};
// No zone is or was further from UTC than this.
constexpr auto kOffsetMax = std::chrono::hours(27);

// A date and a time without an offset: "2026-12-24T18:00", "2026-12-24 18:00:00".
std::optional<Pattern> parse_wall_time(const std::string& text) {
  int year = 0, hour = 0, minute = 0, second = 0, used = 0;
  unsigned month = 0, day = 0;
  if (std::sscanf(text.c_str(), "%4d-%2u-%2u%*1[Tt ]%2d:%2d%n", &year, &month, &day, &hour, &minute, &used) != 5)
    return std::nullopt;
  if (int more = 0; std::sscanf(text.c_str() + used, ":%2d%n", &second, &more) == 1) used += more;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  const bool fits = static_cast<std::size_t>(used) == text.size() && date.ok() && year >= Pattern::kFirstYear &&
                    year < Pattern::kFirstYear + Pattern::kYears && hour >= 0 && hour <= 23 && minute >= 0 &&
                    minute <= 59 && second >= 0 && second <= 59;
  if (!fits) return std::nullopt;
  Pattern pattern;
  pattern.seconds = std::uint64_t{1} << second;
  pattern.minutes = std::uint64_t{1} << minute;
  pattern.hours = 1u << hour;
  pattern.months = static_cast<std::uint16_t>(1u << month);
  pattern.days.days = 1u << day;
  pattern.weekdays.every = 0x7f;
  pattern.years.emplace().set(static_cast<std::size_t>(year - Pattern::kFirstYear));
  return pattern;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

}  // namespace

FireTimes::FireTimes(const model::Timing& timing) : zone_(Zone::find(timing.zone)), rule_(timing.clock_change) {
  const std::string text(trimmed(timing.text));
  const auto interval = [&](std::string_view given) {
    const auto from = given.find(" from ");
    const auto step = base::parse_duration(trimmed(given.substr(0, from)));
    if (!step)
      throw base::refused(fmt::format("'{}' is no interval", given), {}, "write a duration such as 15m, 6h or 1d12h");
    if (*step < kShortestInterval)
      throw base::refused(fmt::format("an interval of {} is too short", given), {}, "the shortest is 1s");
    Interval made{{}, *step};
    if (from != std::string_view::npos) {
      const auto anchor = base::parse_instant(trimmed(given.substr(from + 6)));
      if (!anchor)
        throw base::refused(fmt::format("'{}' is no instant", trimmed(given.substr(from + 6))), {},
                            "write it as 2026-01-01T00:00:00Z");
      made.anchor = *anchor;
    }
    return made;
  };
  switch (timing.kind) {
    case model::Timing::Kind::cron:
      if (text.starts_with("@every "))
        what_ = interval(std::string_view(text).substr(7));
      else
        what_ = parse_cron(text);
      break;
    case model::Timing::Kind::calendar: {
      auto calendar = parse_on_calendar(text);
      if (!calendar.zone.empty()) zone_ = Zone::find(calendar.zone);
      what_ = std::move(calendar.pattern);
      break;
    }
    case model::Timing::Kind::every:
      what_ = interval(text);
      break;
    case model::Timing::Kind::at:
      if (const auto once = base::parse_instant(text))
        what_ = *once;
      else if (const auto pattern = parse_wall_time(text))
        what_ = *pattern;
      else
        throw base::refused(fmt::format("'{}' is no point of time", text), {},
                            "write 2026-12-24T18:00:00Z, or 2026-12-24T18:00 for the zone's own clock");
      break;
  }
}

std::optional<base::Instant> FireTimes::next(base::Instant after) const {
  return std::visit([&](const auto& what) { return next_of(what, after); }, what_);
}

std::optional<base::Instant> FireTimes::next_of(const Interval& interval, base::Instant after) const {
  if (after < interval.anchor) return interval.anchor;
  const auto passed = (after - interval.anchor) / interval.step;
  return interval.anchor + (passed + 1) * interval.step;
}

std::optional<base::Instant> FireTimes::next_of(base::Instant once, base::Instant after) const {
  if (once <= after) return std::nullopt;
  return once;
}

// Goes over the spans between clock changes, but not over all of them: a wall time far ahead leads straight to its
// span.
std::optional<base::Instant> FireTimes::next_of(const Pattern& pattern, base::Instant after) const {
  auto from = std::chrono::floor<seconds>(after) + seconds(1);
  for (;;) {
    const auto span = zone_.span(from);
    if (const auto fire = first_in(pattern, span, from)) return *fire;
    if (span.end == Zone::Seconds::max()) return std::nullopt;
    const auto ahead = pattern.next(wall(span.end, -kOffsetMax));
    if (!ahead) return std::nullopt;
    from = std::max(span.end, instant(*ahead, kOffsetMax));
  }
}

std::optional<Zone::Seconds> FireTimes::first_in(const Pattern& pattern, const Zone::Span& span,
                                                 Zone::Seconds from) const {
  auto first = wall(from, span.offset);
  const bool repeats = span.offset < span.before;
  if (repeats && rule_ != model::ClockChange::both && !pattern.every_hour())
    first = std::max(first, wall(span.begin, span.before));
  std::optional<Zone::Seconds> fire;
  if (const auto found = pattern.next(first))
    if (const auto at = instant(*found, span.offset); at < span.end) fire = at;
  if (span.offset > span.before && rule_ != model::ClockChange::skip && !pattern.every_hour())
    if (const auto at = made_up(pattern, span, from); at && (!fire || *at < *fire)) fire = at;
  return fire;
}

// What fires for wall times that the clock skipped when it was put forward at the beginning of `span`.
std::optional<Zone::Seconds> FireTimes::made_up(const Pattern& pattern, const Zone::Span& span,
                                                Zone::Seconds from) const {
  const bool shift = rule_ == model::ClockChange::shift;
  if (!shift && from > span.begin) return std::nullopt;
  const auto skipped = pattern.next(wall(from, span.before));
  if (!skipped || *skipped >= wall(span.begin, span.offset)) return std::nullopt;
  const auto at = shift ? instant(*skipped, span.before) : span.begin;
  if (at >= span.end) return std::nullopt;
  return at;
}

}  // namespace godwit::cron
