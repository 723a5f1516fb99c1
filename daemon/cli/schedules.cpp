#include "base/terminal.hpp"
#include "base/json_text.hpp"
#include "cli/commands.hpp"
#include "cli/parameters.hpp"
#include "cli/session.hpp"
#include "cli/text.hpp"
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

void print_lines(Session& session, const json::array& list) {
  if (session.json) return session.print_json(list);
  for (const auto& entry : list)
    session.print((entry.is_string() ? std::string(entry.get_string()) : base::serialize(entry)) + "\n");
}

void print_times(Session& session, const json::array& list) {
  if (list.empty() && !session.json && !session.quiet) session.print("No fire time is to come.\n");
  print_lines(session, list);
}

int next_of_known(Session& session) {
  const auto& line = session.line;
  for (const auto* option : {"cron", "calendar", "every", "at", "zone", "clock-change", "from", "to", "local"})
    if (line.has(option))
      throw usage("--" + std::string(option) + " beside the name of a schedule", "the schedule says it itself");
  json::object request{{"schedule", line.text("NAME")}};
  if (const auto count = line.number("count", 1)) request["count"] = *count;
  print_times(session, session.call("schedule.next", std::move(request)).as_array());
  return 0;
}

int print_table(Session& session, const json::value& list, const char* none) {
  if (session.json) {
    session.print_json(list);
  } else {
    const auto text = table_of(list.as_array(), session.width);
    session.print(text.empty() ? std::string(none) + "\n" : text);
  }
  return 0;
}

// Calls a method with the schedule's name and says what was done.
int change(Session& session, const char* method, const char* done) {
  const auto name = session.line.text("NAME");
  const auto answer = session.call(method, {{"schedule", name}});
  if (session.json)
    session.print_json(answer);
  else if (!session.quiet)
    session.print("schedule " + base::printable(name) + " " + done + "\n");
  return 0;
}

}  // namespace

int schedule_next(Session& session) {
  const auto& line = session.line;
  if (line.has("NAME")) return next_of_known(session);
  const auto timing = timing_of(line);
  const auto to = instant_of(line, "to");
  if (to && line.has("count")) throw usage("--to beside --count", "give one of them");
  auto left = to ? std::numeric_limits<std::int64_t>::max() : line.number("count", 1).value_or(5);
  const auto times = fire_times(timing);
  const auto shown_in = line.has("local") ? times.zone() : cron::Zone::find("UTC");
  json::array list;
  for (auto next = times.next(instant_of(line, "from").value_or(base::now()));
       next && left > 0 && (!to || *next <= *to); --left) {
    list.emplace_back(cron::format_in_zone(*next, shown_in));
    next = times.next(*next);
  }
  print_times(session, list);
  return 0;
}

int schedule_list(Session& session) {
  return print_table(session, session.call("schedule.list"), "There are no schedules.");
}

int schedule_fires(Session& session) {
  json::object request;
  if (session.line.has("NAME")) request["schedule"] = session.line.text("NAME");
  if (const auto limit = session.line.number("limit", 1)) request["limit"] = *limit;
  return print_table(session, session.call("schedule.fires", std::move(request)), "No fire time has come yet.");
}

int schedule_set(Session& session) {
  const auto& line = session.line;
  const auto timing = timing_of(line);
  fire_times(timing);  // what is wrong with the expression is told with its place here
  json::object definition{{"name", line.text("NAME")},
                          {"job", line.text("JOB")},
                          {model::name_in(model::kTimingKinds, timing.kind), timing.text},
                          {"zone", timing.zone},
                          {"clock_change", model::name_in(model::kClockChanges, timing.clock_change)}};
  for (const auto& [option, key] : {std::pair("missed", "missed"),
                                    {"missed-within", "missed_within"},
                                    {"overlap", "overlap"},
                                    {"jitter", "jitter"}})
    if (line.has(option)) definition[key] = line.text(option);
  json::object params;
  for (const auto& assignment : line.texts("param")) set_parameter(params, assignment);
  definition["params"] = std::move(params);
  const auto answer = session.call("schedule.set", {{"definition", std::move(definition)}});
  if (session.json)
    session.print_json(answer);
  else if (!session.quiet)
    session.print("schedule " + base::printable(line.text("NAME")) + " is set\n");
  return 0;
}

int schedule_remove(Session& session) {
  return change(session, "schedule.remove", "is removed");
}
int schedule_pause(Session& session) {
  return change(session, "schedule.pause", "is paused");
}
int schedule_resume(Session& session) {
  return change(session, "schedule.resume", "fires again");
}

int schedule_trigger(Session& session) {
  const auto answer = session.call("schedule.trigger", {{"schedule", session.line.text("NAME")}});
  if (session.json)
    session.print_json(answer);
  else
    session.print(text_of(answer.as_object(), "run") + "\n");
  return 0;
}

int schedule_backfill(Session& session) {
  const auto& line = session.line;
  if (!line.has("from")) throw usage("--from is missing: the beginning of the range");
  json::object request{{"schedule", line.text("NAME")}, {"from", line.text("from")}};
  if (line.has("to")) request["to"] = line.text("to");
  const auto answer = session.call("schedule.backfill", std::move(request));
  if (session.json) {
    session.print_json(answer);
    return 0;
  }
  const auto& done = answer.as_object();
  print_lines(session, done.at("runs").as_array());
  if (!session.quiet && number_of(done, "existing") > 0)
    session.note(text_of(done, "existing") + " fire times of the range have runs already");
  return 0;
}

}  // namespace godwit::cli
