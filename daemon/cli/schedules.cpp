#include "base/terminal.hpp"
#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "cron/fire_times.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

base::Error usage(std::string what, std::string hint = {}) {
  return base::Error(base::ErrorKind::usage, std::move(what), {}, std::move(hint));
}

// The timing that the options describe; exactly one of them says when.
model::Timing timing_of(const CommandLine& line) {
  std::optional<model::Timing> timing;
  for (std::size_t kind = 0; kind < model::kTimingKinds.size(); ++kind) {
    const std::string name(model::kTimingKinds[kind]);
    if (!line.has(name)) continue;
    if (timing)
      throw usage("--" + name + " beside --" + std::string(model::name_in(model::kTimingKinds, timing->kind)),
                  "give one of them");
    timing = model::Timing{static_cast<model::Timing::Kind>(kind), line.text(name)};
  }
  if (!timing) throw usage("nothing says when", "give one of --cron, --calendar, --every, --at");
  timing->zone = line.text("zone", "UTC");
  if (line.has("clock-change")) {
    const auto rule = model::value_in<model::ClockChange>(model::kClockChanges, line.text("clock-change"));
    if (!rule)
      throw usage("there is no rule '" + line.text("clock-change") + "'", "the rules are run_once, skip, both, shift");
    timing->clock_change = *rule;
  }
  return *timing;
}

// A fault's column counts within the option's value, so the option is its file.
cron::FireTimes fire_times(const model::Timing& timing) {
  try {
    return cron::FireTimes(timing);
  } catch (const base::Error& error) {
    auto problems = error.problems();
    for (auto& problem : problems)
      if (problem.place.line > 0)
        problem.place = {"--" + std::string(model::name_in(model::kTimingKinds, timing.kind)),
                         problem.place.line,
                         problem.place.column,
                         {}};
    throw base::Error(error.kind(), std::move(problems));
  }
}

std::optional<base::Instant> instant_of(const CommandLine& line, const std::string& option) {
  if (!line.has(option)) return std::nullopt;
  const auto instant = base::parse_instant(line.text(option));
  if (!instant)
    throw usage("--" + option + ": '" + line.text(option) + "' is no instant", "write it as 2026-03-28T00:00:00Z");
  return instant;
}

}  // namespace

int schedule_next(Session& session) {
  const auto& line = session.line;
  const auto timing = timing_of(line);
  const auto to = instant_of(line, "to");
  if (to && line.has("count")) throw usage("--to beside --count", "give one of them");
  auto left = to ? std::numeric_limits<std::int64_t>::max() : line.number("count", 1).value_or(5);
  const auto times = fire_times(timing);
  const auto shown_in = line.has("local") ? times.zone() : cron::Zone::find("UTC");
  json::array list;
  for (auto next = times.next(instant_of(line, "from").value_or(base::now()));
       next && left > 0 && (!to || *next <= *to); --left) {
    const auto text = cron::format_in_zone(*next, shown_in);
    if (session.json)
      list.emplace_back(text);
    else
      session.print(text + "\n");
    next = times.next(*next);
  }
  if (session.json) session.print_json(list);
  return 0;
}

}  // namespace godwit::cli
