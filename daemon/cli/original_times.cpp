#include <algorithm>
#include <cstdio>
#include <optional>

#include "cli/imported.hpp"
#include "cron/expression.hpp"
#include "cron/zone.hpp"

namespace godwit::cli {
namespace {

using cron::WallTime;
using cron::Zone;

Zone::Seconds in_seconds(base::Instant at) {
  return std::chrono::floor<std::chrono::seconds>(at);
}

// Whether cron looks at the clock each minute instead of at the time that passes: a * begins minute or hour.
bool looks_at_the_clock(const std::string& expression) {
  if (expression.front() == '@') return expression == "@hourly";
  const auto hour = expression.find(' ') + 1;
  return expression.front() == '*' || (hour < expression.size() && expression[hour] == '*');
}

std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? "'\\''" : std::string(1, c);
  return text + "'";
}

// "Sat 2026-03-28 02:30:00 UTC" of a line, in what systemd-analyze prints.
std::optional<base::Instant> instant_of(std::string_view line) {
  const auto end = line.find(" UTC");
  if (end == line.npos || end < 19) return std::nullopt;
  std::string text(line.substr(end - 19, 19));
  text[10] = 'T';
  return base::parse_instant(text + "Z");
}

}  // namespace

std::vector<base::Instant> times_of_cron(const model::Timing& timing, base::Instant from, base::Instant to) {
  const auto pattern = cron::parse_cron(timing.text);
  const Zone zone = Zone::find(timing.zone);
  const bool by_clock = looks_at_the_clock(timing.text);
  std::vector<base::Instant> times;
  const auto first = in_seconds(from) + std::chrono::seconds(1), last = in_seconds(to);
  for (auto at = first; at <= last;) {
    const auto span = zone.span(at);
    const auto end = std::min(span.end == Zone::Seconds::max() ? last : span.end - std::chrono::seconds(1), last);
    auto wall = cron::wall(at, span.offset);
    if (!by_clock && at == span.begin && span.offset > span.before) {
      // What the clock has skipped is run once, now.
      const auto skipped = pattern.next(cron::wall(at, span.before));
      if (skipped && *skipped < wall) times.push_back(base::Instant(at));
    }
    // What the clock has shown before the change is not run again.
    if (!by_clock && span.begin != Zone::Seconds::min() && span.offset < span.before)
      wall = std::max(wall, cron::wall(span.begin, span.before));
    const auto wall_end = cron::wall(end, span.offset);
    for (auto next = pattern.next(wall); next && *next <= wall_end;
         next = pattern.next(*next + std::chrono::seconds(1))) {
      const base::Instant instant(cron::instant(*next, span.offset));
      if (times.empty() || instant > times.back()) times.push_back(instant);
    }
    at = end + std::chrono::seconds(1);
  }
  return times;
}

std::optional<std::vector<base::Instant>> times_of_systemd(const model::Timing& timing, base::Instant from,
                                                           base::Instant to, std::size_t about) {
  if (timing.kind != model::Timing::Kind::calendar) return std::nullopt;
  const std::string command =
      "TZ=" + quoted(timing.zone) + " LC_ALL=C systemd-analyze calendar --iterations=" + std::to_string(about + 5) +
      " --base-time=" + quoted("@" + std::to_string(in_seconds(from).time_since_epoch().count())) + " -- " +
      quoted(timing.text) + " 2>/dev/null";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return std::nullopt;
  std::vector<base::Instant> times;
  std::string line;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    if (const auto at = instant_of(line); at && *at > from && *at <= to && (times.empty() || *at > times.back()))
      times.push_back(*at);
    line.clear();
  }
  return ::pclose(pipe) == 0 ? std::optional(std::move(times)) : std::nullopt;
}

}  // namespace godwit::cli
