#include "cron/on_calendar.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "base/error.hpp"

namespace godwit::cron {
namespace {

constexpr std::size_t kLengthMax = 1000;
constexpr int kYearMax = 2199;

constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kShorthands{
    {{"minutely", "*-*-* *:*:00"},
     {"hourly", "*-*-* *:00:00"},
     {"daily", "*-*-* 00:00:00"},
     {"weekly", "Mon *-*-* 00:00:00"},
     {"monthly", "*-*-01 00:00:00"},
     {"quarterly", "*-01,04,07,10-01 00:00:00"},
     {"semiannually", "*-01,07-01 00:00:00"},
     {"semi-annually", "*-01,07-01 00:00:00"},
     {"biannually", "*-01,07-01 00:00:00"},
     {"bi-annually", "*-01,07-01 00:00:00"},
     {"yearly", "*-01-01 00:00:00"},
     {"annually", "*-01-01 00:00:00"}}};

constexpr std::array<std::string_view, 7> kWeekdays{"sunday",   "monday", "tuesday", "wednesday",
                                                    "thursday", "friday", "saturday"};

// A part of an expression: the values a..b (one value when they are equal), each `step`-th of them.
struct Part {
  int low;
  int high;
  int step;
  bool open;  // a/step without an end
};
// Empty means all.
using Chain = std::vector<Part>;

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto same = [](char x, char y) { return (x | 32) == (y | 32); };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), same);
}

// Walks along the text; knows where it is for the place of an error.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool done() const { return at_ == text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }
  std::string_view rest() const { return text_.substr(at_); }
  bool take(std::string_view what) {
    if (!rest().starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  void skip_spaces() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  std::size_t place() const { return at_; }
  void go_back_to(std::size_t place) { at_ = place; }

  int number() {
    int value = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc() || peek() == '-') refuse("a number is expected here");
    at_ += static_cast<std::size_t>(end - begin);
    if (peek() == '.' && !rest().starts_with("..")) refuse("fractions of a second are not supported");
    return value;
  }
  std::string_view letters() {
    const auto is_letter = [](char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; };
    const auto begin = at_;
    while (!done() && is_letter(peek())) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  [[noreturn]] void refuse(std::string what, std::string hint = {}) const {
    throw base::refused(std::move(what), base::Place{.line = 1, .column = static_cast<int>(at_) + 1}, std::move(hint));
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

Part read_part(Cursor& cursor) {
  Part part{};
  part.low = part.high = cursor.number();
  bool range = false;
  if (cursor.take("..")) {
    range = true;
    part.high = cursor.number();
    if (part.high < part.low) cursor.refuse(fmt::format("the range {}..{} goes backwards", part.low, part.high));
  }
  part.step = 1;
  if (cursor.take("/")) {
    part.step = cursor.number();
    if (part.step < 1) cursor.refuse("a step of 0 goes nowhere");
    part.open = !range;
  }
  return part;
}

Chain read_chain(Cursor& cursor) {
  if (cursor.take("*")) return {};
  Chain chain;
  do chain.push_back(read_part(cursor));
  while (cursor.take(","));
  return chain;
}

std::optional<int> weekday_of(std::string_view word) {
  for (std::size_t day = 0; day < kWeekdays.size(); ++day)
    if (equal_ignoring_case(word, kWeekdays[day]) || equal_ignoring_case(word, kWeekdays[day].substr(0, 3)))
      return static_cast<int>(day);
  return std::nullopt;
}

// The weekdays in front: "Mon..Fri", "Sat,Sun". All of them when the text begins otherwise.
std::uint8_t read_weekdays(Cursor& cursor) {
  std::uint8_t set = 0;
  const auto monday_first = [](int day) { return (day + 6) % 7; };
  for (int from = -1;;) {
    const auto word = cursor.letters();
    if (word.empty() && set == 0) return 0x7f;
    const auto day = weekday_of(word);
    if (!day)
      cursor.refuse(fmt::format("'{}' is no day of the week", word),
                    "write Mon Tue Wed Thu Fri Sat Sun, or their whole names");
    const int last = monday_first(*day), first = from < 0 ? last : from;
    if (first > last)
      cursor.refuse("the range of weekdays goes backwards", "the week begins with Monday; write it as two ranges");
    for (int i = first; i <= last; ++i) set |= static_cast<std::uint8_t>(1u << (i + 1) % 7);
    from = -1;
    if (cursor.take("..") || cursor.take("-"))
      from = last;
    else if (!cursor.take(","))
      break;
    if (from < 0 && (cursor.done() || cursor.peek() == ' ')) break;
  }
  if (!cursor.done() && cursor.peek() != ' ') cursor.refuse("a space is expected after the days of the week");
  cursor.skip_spaces();
  return set;
}

// As in systemd, a step must be taken at least once: *:45/30 is somebody's mistake.
void check_step(const Cursor& cursor, const Part& part, int first, int last) {
  if (part.step > 1 && part.step > last - first)
    cursor.refuse(fmt::format("a step of {} leads past {}", part.step, last));
}

std::uint64_t bits(const Cursor& cursor, const Chain& chain, int low, int high, std::string_view what) {
  Chain parts = chain;
  if (parts.empty()) parts.push_back({low, high, 1, false});
  std::uint64_t set = 0;
  for (const auto& part : parts) {
    const int last = part.open ? high : part.high;
    if (part.low < low || last > high || part.low > high)
      cursor.refuse(fmt::format("{} {} does not exist", what, part.low < low || part.low > high ? part.low : last),
                    fmt::format("it goes from {} to {}", low, high));
    check_step(cursor, part, part.low, last);
    for (int value = part.low; value <= last; value += part.step) set |= std::uint64_t{1} << value;
  }
  return set;
}

void set_years(const Cursor& cursor, const Chain& chain, Pattern& pattern) {
  auto& years = pattern.years.emplace();
  Chain parts = chain;
  if (parts.empty()) parts.push_back({Pattern::kFirstYear, kYearMax, 1, false});
  const auto full = [](int year) { return year < 70 ? year + 2000 : year < 100 ? year + 1900 : year; };
  for (const auto& part : parts) {
    const int low = full(part.low), high = part.open ? kYearMax : full(part.high);
    if (low < Pattern::kFirstYear || high > kYearMax || low > kYearMax)
      cursor.refuse(fmt::format("year {} cannot be", low < Pattern::kFirstYear ? low : high),
                    fmt::format("years go from {} to {}", Pattern::kFirstYear, kYearMax));
    check_step(cursor, part, low, high);
    for (int year = low; year <= high; year += part.step)
      years.set(static_cast<std::size_t>(year - Pattern::kFirstYear));
  }
}

void set_days(const Cursor& cursor, const Chain& chain, bool from_end, DaySet& days) {
  if (!from_end) {
    days.days = static_cast<std::uint32_t>(bits(cursor, chain, 1, 31, "day"));
    return;
  }
  // ~03 is the third day from the end, and steps go on towards the end: ~07/1 is the whole last week.
  for (const auto& part : chain) {
    if (part.low < 1 || part.high > 28) cursor.refuse("only the last 28 days can be counted from the end of a month");
    const int nearest = part.open ? 1 : part.low, farthest = part.open ? part.low : part.high;
    check_step(cursor, part, nearest, farthest);
    for (int back = farthest; back >= nearest; back -= part.step) days.from_end |= 1u << (back - 1);
  }
}

// [[year-]month-]day, with ~ before a day that is counted from the end. False, and nothing taken, when it is a time.
bool read_date(Cursor& cursor, Pattern& pattern) {
  const auto start = cursor.place();
  std::vector<Chain> parts{read_chain(cursor)};
  bool from_end = false;
  while (parts.size() < 3 && !from_end) {
    if (cursor.take("~"))
      from_end = true;
    else if (!cursor.take("-"))
      break;
    parts.push_back(read_chain(cursor));
  }
  if (parts.size() == 1) {
    cursor.go_back_to(start);
    return false;
  }
  if (from_end && parts.back().empty()) cursor.refuse("a day counted from the end needs its number");
  pattern.days = {};
  set_days(cursor, parts.back(), from_end, pattern.days);
  pattern.months = static_cast<std::uint16_t>(bits(cursor, parts[parts.size() - 2], 1, 12, "month"));
  set_years(cursor, parts.size() == 3 ? parts.front() : Chain(), pattern);
  return true;
}

void read_time(Cursor& cursor, Pattern& pattern) {
  pattern.hours = static_cast<std::uint32_t>(bits(cursor, read_chain(cursor), 0, 23, "hour"));
  if (!cursor.take(":")) cursor.refuse("a time needs hours and minutes", "write 02:30 or *:0/15");
  pattern.minutes = bits(cursor, read_chain(cursor), 0, 59, "minute");
  if (cursor.take(":")) pattern.seconds = bits(cursor, read_chain(cursor), 0, 59, "second");
}

Pattern read_pattern(std::string_view text) {
  for (const auto& [name, expression] : kShorthands)
    if (equal_ignoring_case(name, text)) return read_pattern(expression);
  Cursor cursor(text);
  Pattern pattern;
  pattern.weekdays.every = read_weekdays(cursor);
  pattern.minutes = pattern.hours = 1;
  pattern.months = static_cast<std::uint16_t>(bits(cursor, {}, 1, 12, "month"));
  pattern.days.days = static_cast<std::uint32_t>(bits(cursor, {}, 1, 31, "day"));
  set_years(cursor, {}, pattern);
  if (cursor.peek() == '@') cursor.refuse("@SECONDS is not supported", "write the date and the time");
  if (!cursor.done() && read_date(cursor, pattern)) {
    if (!cursor.done() && !cursor.take("T") && cursor.peek() != ' ')
      cursor.refuse("a space is expected after the date");
    cursor.skip_spaces();
  }
  if (!cursor.done()) read_time(cursor, pattern);
  cursor.skip_spaces();
  if (!cursor.done())
    cursor.refuse(fmt::format("'{}' is too much", cursor.rest()),
                  "write [weekdays] [[year-]month-day] [hour:minute[:second]] [zone]");
  if (!pattern.possible()) throw base::refused("no year has such a day, so this would never fire");
  return pattern;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// The word at the end is a zone when it cannot be anything else: it has letters and is no day of the week.
bool is_zone(std::string_view word) {
  const auto is_letter = [](char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; };
  if (word.empty() || !is_letter(word.front())) return false;
  const auto first = word.substr(0, word.find_first_of(",.-"));
  return !weekday_of(first);
}

}  // namespace

OnCalendar parse_on_calendar(std::string_view text) {
  text = trimmed(text);
  if (text.empty()) throw base::refused("a calendar expression is empty", {}, "write for example Mon..Fri 02:30");
  if (text.size() > kLengthMax)
    throw base::refused(fmt::format("a calendar expression of {} characters is too long", text.size()));
  OnCalendar calendar;
  if (const auto space = text.find_last_of(" \t"); space != std::string_view::npos && is_zone(text.substr(space + 1))) {
    calendar.zone = text.substr(space + 1);
    if (equal_ignoring_case(calendar.zone, "utc")) calendar.zone = "UTC";
    text = trimmed(text.substr(0, space));
  }
  calendar.pattern = read_pattern(text);
  return calendar;
}

}  // namespace godwit::cron
