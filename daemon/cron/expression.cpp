#include "cron/expression.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace godwit::cron {
namespace {

constexpr std::size_t kLengthMax = 1000;

constexpr std::array<std::string_view, 12> kMonths{"jan", "feb", "mar", "apr", "may", "jun",
                                                   "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct FieldKind {
  std::string_view name;
  int low;
  int high;
  std::span<const std::string_view> names;
  int first_name;  // the value of names[0]
};
constexpr FieldKind kSecond{"second", 0, 59, {}, 0};
constexpr FieldKind kMinute{"minute", 0, 59, {}, 0};
constexpr FieldKind kHour{"hour", 0, 23, {}, 0};
constexpr FieldKind kDay{"day of month", 1, 31, {}, 0};
constexpr FieldKind kMonth{"month", 1, 12, kMonths, 1};
constexpr FieldKind kWeekday{"day of week", 0, 7, kWeekdays, 0};

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kMacros{{{"@hourly", "0 * * * *"},
                                                                                {"@daily", "0 0 * * *"},
                                                                                {"@midnight", "0 0 * * *"},
                                                                                {"@weekly", "0 0 * * 0"},
                                                                                {"@monthly", "0 0 1 * *"},
                                                                                {"@yearly", "0 0 1 1 *"},
                                                                                {"@annually", "0 0 1 1 *"}}};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

// A piece of the expression and where it begins, for the place of an error.
struct Piece {
  std::string_view text;
  std::size_t at = 0;

  Piece sub(std::size_t from, std::size_t count = std::string_view::npos) const {
    return {text.substr(from, count), at + from};
  }
  bool starts_with(std::string_view prefix) const { return text.starts_with(prefix); }
};

std::vector<Piece> split(Piece whole, std::string_view separators, bool merge) {
  std::vector<Piece> parts;
  for (std::size_t begin = 0; begin <= whole.text.size();) {
    const auto end = std::min(whole.text.find_first_of(separators, begin), whole.text.size());
    if (!merge || end > begin) parts.push_back(whole.sub(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

[[noreturn]] void refuse(Piece piece, std::string what, std::string hint = {}) {
  throw base::refused(std::move(what), base::Place{.line = 1, .column = static_cast<int>(piece.at) + 1},
                      std::move(hint));
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.front() == '-') return std::nullopt;
  return value;
}

int value_of(Piece piece, const FieldKind& kind) {
  for (std::size_t i = 0; i < kind.names.size(); ++i)
    if (kind.names[i] == piece.text) return kind.first_name + static_cast<int>(i);
  const auto value = number(piece.text);
  if (!value) {
    const std::string names =
        kind.names.empty() ? "" : fmt::format(" or a name ({} ... {})", kind.names.front(), kind.names.back());
    if (piece.text.empty()) refuse(piece, fmt::format("a value is missing in the {}", kind.name));
    refuse(piece, fmt::format("'{}' is no {}", piece.text, kind.name),
           fmt::format("write a number from {} to {}{}", kind.low, kind.high, names));
  }
  if (*value < kind.low || *value > kind.high)
    refuse(piece, fmt::format("{} {} does not exist", kind.name, *value),
           fmt::format("it goes from {} to {}", kind.low, kind.high));
  return *value;
}

struct Range {
  int low;
  int high;
  int step = 1;
};

// `*`, `a`, `a-b` and each of them with a step.
Range read_range(Piece piece, const FieldKind& kind) {
  const auto slash = piece.text.find('/');
  const bool stepped = slash != std::string_view::npos;
  const Piece what = piece.sub(0, slash);
  Range range{kind.low, kind.high};
  if (what.text != "*") {
    const auto dash = what.text.find('-');
    range.low = value_of(what.sub(0, dash), kind);
    if (dash != std::string_view::npos) {
      range.high = value_of(what.sub(dash + 1), kind);
      if (&kind == &kWeekday && range.high == 0 && range.low > 0) range.high = 7;
    } else if (!stepped) {
      range.high = range.low;
    }
  }
  if (range.low > range.high)
    refuse(what, fmt::format("the range {} goes backwards", what.text),
           fmt::format("write it as two: {}-{},{}-{}", range.low, kind.high, kind.low, range.high));
  if (!stepped) return range;
  const Piece step = piece.sub(slash + 1);
  const auto value = number(step.text.empty() ? "x" : step.text);
  if (!value || *value < 1) refuse(step, fmt::format("'{}' is no step", step.text), "write a number from 1 on");
  if (*value > kind.high - kind.low)
    refuse(step, fmt::format("a step of {} goes past the end of the {}", *value, kind.name),
           "steps begin anew in each hour, day or month; for a constant pause use `every` instead of cron");
  range.step = *value;
  return range;
}

std::uint64_t bits(const Range& range) {
  std::uint64_t set = 0;
  for (int value = range.low; value <= range.high; value += range.step) set |= std::uint64_t{1} << value;
  return set;
}

std::uint64_t read_field(Piece field, const FieldKind& kind) {
  std::uint64_t set = 0;
  for (const auto& part : split(field, ",", false)) set |= bits(read_range(part, kind));
  return set;
}

void read_day(Piece part, DaySet& days) {
  if (part.text == "?") part.text = "*";
  if (part.text == "lw") {
    days.nearest_to_last = true;
  } else if (part.text == "l") {
    days.from_end |= 1;
  } else if (part.starts_with("l-")) {
    constexpr FieldKind kBefore{"number of days before the last", 1, 30, {}, 0};
    days.from_end |= 1u << value_of(part.sub(2), kBefore);
  } else if (part.text.size() > 1 && part.text.ends_with('w')) {
    days.nearest |= 1u << value_of(part.sub(0, part.text.size() - 1), kDay);
  } else {
    days.days |= static_cast<std::uint32_t>(bits(read_range(part, kDay)));
  }
}

std::uint8_t weekday_bit(Piece piece) {
  return static_cast<std::uint8_t>(1u << value_of(piece, kWeekday) % 7);
}

void read_weekday(Piece part, WeekdaySet& weekdays) {
  if (part.text == "?") part.text = "*";
  if (part.text == "l")
    refuse(part, "L alone names no day of the week", "write SAT, or SATL for the last Saturday of the month");
  if (const auto hash = part.text.find('#'); hash != std::string_view::npos) {
    constexpr FieldKind kNth{"week of the month", 1, 5, {}, 0};
    weekdays.nth[value_of(part.sub(hash + 1), kNth) - 1] |= weekday_bit(part.sub(0, hash));
  } else if (part.text.ends_with('l')) {
    weekdays.last |= weekday_bit(part.sub(0, part.text.size() - 1));
  } else if (part.starts_with("l")) {
    weekdays.last |= weekday_bit(part.sub(1));
  } else {
    const auto set = bits(read_range(part, kWeekday));
    weekdays.every |= static_cast<std::uint8_t>((set & 0x7f) | (set >> 7 & 1));
  }
}

Pattern read_fields(std::vector<Piece> fields) {
  Pattern pattern;
  if (fields.size() == 6) {
    pattern.seconds = read_field(fields.front(), kSecond);
    fields.erase(fields.begin());
  }
  pattern.minutes = read_field(fields[0], kMinute);
  pattern.hours = static_cast<std::uint32_t>(read_field(fields[1], kHour));
  for (const auto& part : split(fields[2], ",", false)) read_day(part, pattern.days);
  pattern.months = static_cast<std::uint16_t>(read_field(fields[3], kMonth));
  for (const auto& part : split(fields[4], ",", false)) read_weekday(part, pattern.weekdays);
  const auto is_star = [](Piece field) { return field.starts_with("*") || field.starts_with("?"); };
  pattern.either_day = !is_star(fields[2]) && !is_star(fields[4]);
  return pattern;
}

}  // namespace

Pattern parse_cron(std::string_view text) {
  if (text.size() > kLengthMax)
    throw base::refused(fmt::format("a cron expression of {} characters is too long", text.size()));
  const std::string lowered = lower(text);
  auto fields = split({lowered}, " \t", true);
  if (fields.size() == 1 && fields[0].starts_with("@")) {
    for (const auto& [name, expression] : kMacros)
      if (fields[0].text == name) return parse_cron(expression);
    if (fields[0].text == "@reboot") refuse(fields[0], "@reboot is no time: it means the start of the machine");
    refuse(fields[0], fmt::format("there is no '{}'", fields[0].text),
           "known are @hourly @daily @midnight @weekly @monthly @yearly @annually");
  }
  if (fields.size() != 5 && fields.size() != 6)
    refuse({}, fmt::format("a cron expression has five fields or six, this one has {}", fields.size()),
           "write: [second] minute hour day-of-month month day-of-week");
  const Pattern pattern = read_fields(fields);
  if (!pattern.possible()) refuse(fields[fields.size() - 3], "no year has such a day, so this would never fire");
  return pattern;
}

}  // namespace godwit::cron
