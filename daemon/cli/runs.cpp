#include <thread>

#include "base/terminal.hpp"
#include "cli/commands.hpp"
#include "cli/parameters.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"
#include "cli/watcher.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

constexpr auto kLogsEvery = std::chrono::seconds(1);  // how often the daemon writes log lines away at the latest
constexpr std::int64_t kLogPage = 1000;

json::object run_of(const Session& session) {
  return {{"run", model::number(session.line.run())}};
}

std::string progress_cell(const json::object& row) {
  const auto* progress = object_of(row, "progress");
  if (!progress || number_of(*progress, "total") == 0) return {};
  return grouped(number_of(*progress, "done")) + "/" + grouped(number_of(*progress, "total"));
}

void print_steps(Session& session, const json::object& shown) {
  const auto* steps = array_of(shown, "steps");
  if (!steps) return;
  if (session.line.has("output")) {
    for (const auto& value : *steps) {
      const auto& step = value.as_object();
      session.print("\n" + base::printable(text_of(step, "path")) + " " + session.paint(text_of(step, "state")) + "\n");
      if (const auto* output = step.if_contains("output"); output && !output->is_null()) session.print(pretty(*output));
      if (const auto* artifact = object_of(step, "output_artifact"))
        session.print(grouped(number_of(*artifact, "size")) + " bytes: godwit artifact get " +
                      text_of(*artifact, "artifact") + "\n");
      if (const auto* error = object_of(step, "error"))
        session.print(base::printable(failure_text(*error), true) + "\n");
    }
  } else {
    Table table({{"STEP"}, {"STATE"}, {"ATTEMPT", Table::Align::right}, {"TOOK", Table::Align::right}, {"ERROR"}});
    for (const auto& value : *steps) {
      const auto& step = value.as_object();
      const auto* error = object_of(step, "error");
      table.add({text_of(step, "path"), text_of(step, "state"), text_of(step, "attempt"),
                 time_between(step, "started_at", "finished_at"), error ? one_line(failure_text(*error)) : ""});
    }
    session.print("\n" + table.text(session.width));
  }
  if (const auto* more = shown.if_contains("more_steps"); more && *more == true) {
    session.print("There are more steps: --offset and --limit choose them.\n");
  }
}

void print_stages(Session& session, const json::object& shown) {
  const auto* progress = object_of(shown, "progress");
  const auto* stages = progress ? array_of(*progress, "stages") : nullptr;
  if (!stages || stages->empty()) return;
  Table table({{"STAGE"},
               {"STATE"},
               {"DONE", Table::Align::right},
               {"TOTAL", Table::Align::right},
               {"FAILED", Table::Align::right},
               {"UNDER WAY", Table::Align::right}});
  for (const auto& value : *stages) {
    if (!value.is_object()) continue;
    const auto& stage = value.get_object();
    table.add({text_of(stage, "name"), text_of(stage, "state"), text_of(stage, "done"), text_of(stage, "total"),
               text_of(stage, "failed"), text_of(stage, "in_flight")});
  }
  session.print("\n" + table.text(session.width));
}

// Where and what a side of a mismatch is, in a line.
std::string side_text(const json::object& side) {
  std::string text = text_of(side, "kind") == "end"
                         ? "the end of " + (text_of(side, "path").empty() ? "the script" : text_of(side, "path"))
                         : text_of(side, "path");
  if (const auto uses = text_of(side, "uses"); !uses.empty()) text += " (" + uses + ")";
  if (const auto file = text_of(side, "file"); !file.empty())
    text += " at " + file + (side.contains("line") ? ":" + text_of(side, "line") : "");
  if (const auto state = text_of(side, "state"); !state.empty()) text += " " + state;
  if (const auto at = text_of(side, "at"); !at.empty()) text += " " + at;
  if (const auto hash = text_of(side, "hash"); !hash.empty()) text += ", hash " + hash;
  if (const auto version = text_of(side, "version"); !version.empty()) text += ", version " + version.substr(0, 12);
  return base::printable(text);
}

// What is recorded of a run beside what its script asks for now, each in a line, with the arguments below.
void print_sides(Session& session, const json::object& sides) {
  for (const auto& [title, name] : {std::pair("recorded    ", "recorded"), std::pair("asked now   ", "requested")}) {
    const auto* side = object_of(sides, name);
    if (!side) continue;
    session.print(title + side_text(*side) + "\n");
    if (const auto input = text_of(*side, "input"); !input.empty())
      session.print("            with " + base::printable(input) + "\n");
  }
}

// Changes as rows of a table: the sides of a mismatch are printed apart.
json::array without_sides(json::array changes) {
  for (auto& change : changes)
    if (auto* object = change.if_object()) object->erase("sides");
  return changes;
}

// The sides of the newest block, while it lasts.
const json::object* sides_of(const json::object& shown) {
  const json::object* sides = nullptr;
  if (const auto* changes = array_of(shown, "changes"))
    for (const auto& change : *changes)
      if (const auto* object = change.if_object(); object && text_of(*object, "change") == "blocked")
        sides = object_of(*object, "sides");
  return text_of(shown, "blocked").empty() ? nullptr : sides;
}

void print_run(Session& session, const json::object& shown) {
  const auto row = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) session.print(name + std::string(name.size() < 12 ? 12 - name.size() : 1, ' ') + value + "\n");
  };
  row("run", text_of(shown, "run"));
  row("job", base::printable(text_of(shown, "job")) +
                 (text_of(shown, "version").empty()
                      ? ""
                      : " (version " + base::printable(text_of(shown, "version").substr(0, 12)) + ")"));
  row("state", session.paint(text_of(shown, "state")));
  row("blocked", base::printable(text_of(shown, "blocked"), true));
  if (const auto* sides = sides_of(shown)) print_sides(session, *sides);
  if (const auto* error = object_of(shown, "error")) row("error", base::printable(failure_text(*error), true));
  row("failed step", base::printable(text_of(shown, "failed_step")));
  row("submitted", local_time(shown, "submitted_at") + " by " + base::printable(text_of(shown, "submitted_by")));
  row("finished", local_time(shown, "finished_at"));
  row("took", time_between(shown, "submitted_at", "finished_at"));
  row("key", base::printable(text_of(shown, "key")));
  row("retry of", base::printable(text_of(shown, "retry_of")));
  if (text_of(shown, "emitted") != "0") row("emitted", base::printable(text_of(shown, "emitted")));
  if (const auto* progress = object_of(shown, "progress")) {
    Progress state;
    state.update(*progress);
    row("progress", progress_cell(shown));
    for (const auto& field : state.fields)
      row(base::printable(field.key()), base::printable(text_of(state.fields, field.key())));
  }
  if (const auto* params = object_of(shown, "params"); params && !params->empty())
    session.print("params\n" + pretty(*params));
  const model::RunId run{number_of(shown, "run")};
  if (const auto left_out = left_out_text(shown, "params", run); !left_out.empty()) session.print(left_out + "\n");
  print_stages(session, shown);
  if (const auto* steps = array_of(shown, "steps_in_flight"); steps && !steps->empty())
    session.print("\n" + table_of(*steps, session.width));
  if (const auto* changes = array_of(shown, "changes"); changes && !changes->empty())
    session.print("\n" + table_of(without_sides(*changes), session.width));
  print_steps(session, shown);
}

// Gives the lines after `after`, page by page, and makes it the number of the last that was given. The daemon ends a
// page where the lines are long, so only an empty one is the last.
void read_logs(Session& session, std::int64_t& after, const std::function<void(json::value& line)>& take) {
  for (;;) {
    auto request = run_of(session);
    request["after"] = after;
    request["limit"] = kLogPage;
    auto lines = session.call("run.logs", std::move(request)).as_array();
    if (lines.empty()) return;
    for (auto& line : lines) {
      after = number_of(line.as_object(), "seq");
      take(line);
    }
  }
}

void print_logs(Session& session, std::int64_t& after) {
  read_logs(session, after, [&](const json::value& line) {
    if (session.json) {
      session.print_json(line);
    } else {
      session.print(log_line(line.as_object()));
    }
  });
  std::fflush(stdout);
}

// Prints lines until the run has ended; `last` is the newest that was printed.
void follow_logs(Session& session, Reconnector& reconnector, std::int64_t& last) {
  auto follow = run_of(session);
  follow["states"] = true;  // the lines come from the store, in their order
  session.call("run.follow", follow);
  reconnector.answered();
  print_logs(session, last);
  auto look_at = base::tick() + kLogsEvery;
  for (bool ended = false; !ended;) {
    // A run that has much to say is looked at as often as one that is silent.
    const auto left = std::chrono::duration_cast<base::Duration>(look_at - base::tick());
    const auto event = left.count() > 0 ? session.client().next_event(left) : std::nullopt;
    if (event) {
      const auto state = text_of(event->event, "event") == "state"
                             ? model::parse_run_state(text_of(event->event, "state"))
                             : std::nullopt;
      ended = state && model::is_terminal(*state);
      continue;
    }
    print_logs(session, last);
    look_at = base::tick() + kLogsEvery;
  }
  std::this_thread::sleep_for(kLogsEvery);  // the last lines may be written away after the end
  print_logs(session, last);
}

int steer(Session& session, std::string_view method, std::string_view done, json::object request) {
  const auto answer = session.call(method, std::move(request));
  if (session.json) {
    session.print_json(answer);
  } else if (!session.quiet) {
    session.print("run " + model::text(session.line.run()) + " " + std::string(done) + "\n");
  }
  return 0;
}

}  // namespace

int list(Session& session) {
  json::object request;
  for (const auto* name : {"state", "job"})
    if (session.line.has(name)) request[name] = session.line.text(name);
  json::object labels;
  for (const auto& label : session.line.texts("label")) {
    const auto equals = label.find('=');
    if (equals == std::string::npos || equals == 0)
      throw base::Error(base::ErrorKind::usage, "'" + label + "' is no label", {}, "write --label NAME=VALUE");
    labels[label.substr(0, equals)] = label.substr(equals + 1);
  }
  if (!labels.empty()) request["labels"] = std::move(labels);
  if (const auto limit = session.line.number("limit", 1)) request["limit"] = *limit;
  if (const auto before = session.line.number("before", 1)) request["before"] = *before;
  const auto rows = session.call("run.list", std::move(request));
  if (session.json) {
    session.print_json(rows);
    return 0;
  }
  Table table({{"RUN", Table::Align::right},
               {"JOB"},
               {"STATE"},
               {"PROGRESS", Table::Align::right},
               {"SUBMITTED"},
               {"TOOK", Table::Align::right},
               {"BY"},
               {"ERROR"}});
  for (const auto& value : rows.as_array()) {
    const auto& row = value.as_object();
    const auto* error = object_of(row, "error");
    if (session.quiet) session.print(text_of(row, "run") + "\n");
    table.add({text_of(row, "run"), text_of(row, "job"), text_of(row, "state"), progress_cell(row),
               local_time(row, "submitted_at"), time_between(row, "submitted_at", "finished_at"),
               text_of(row, "submitted_by"), error ? one_line(failure_text(*error)) : ""});
  }
  if (!session.quiet) session.print(table.empty() ? "There are no such runs.\n" : table.text(session.width));
  return 0;
}

int show(Session& session) {
  auto request = run_of(session);
  if (session.line.has("steps") || session.line.has("output")) {
    json::object steps{{"with_output", session.line.has("output")}};
    if (const auto limit = session.line.number("limit", 1)) steps["limit"] = *limit;
    if (const auto offset = session.line.number("offset")) steps["offset"] = *offset;
    request["steps"] = std::move(steps);
  }
  const auto shown = session.call("run.show", std::move(request));
  if (session.json) {
    session.print_json(shown);
  } else {
    print_run(session, shown.as_object());
  }
  return 0;
}

int logs(Session& session) {
  std::int64_t last = 0;
  if (!session.line.has("follow")) {
    if (session.json) {
      json::array all;
      read_logs(session, last, [&](json::value& line) { all.push_back(std::move(line)); });
      session.print_json(all);
    } else {
      print_logs(session, last);
    }
    return 0;
  }
  Reconnector reconnector(session, session.line.run());
  reconnector.until_done([&] { follow_logs(session, reconnector, last); });
  return 0;
}

int result(Session& session) {
  const auto run = session.line.run();
  const auto outcome = session.line.has("wait") ? Watcher(session, run, Watcher::Style::silent).until_end()
                                                : session.call("run.result", run_of(session)).as_object();
  const auto state = model::parse_run_state(text_of(outcome, "state"));
  if (state && model::is_terminal(*state)) {
    const int code = print_outcome(session, run, outcome);
    // Whoever asked for the result and nothing else has not got it, and the run is not to blame.
    return outcome.contains("result_bytes") ? base::info(base::ErrorKind::refused).exit_code : code;
  }
  if (session.json) session.print_json(outcome);
  throw base::Error(base::ErrorKind::failed, "run " + model::text(run) + " has not ended", {},
                    "`godwit result --wait " + model::text(run) + "` waits for it");
}

int watch(Session& session) {
  const auto run = session.line.run();
  return print_outcome(session, run, Watcher(session, run, Watcher::Style::follow).until_end());
}

int why(Session& session) {
  const auto answer = session.call("run.why", run_of(session));
  if (session.json) {
    session.print_json(answer);
    return 0;
  }
  const auto& object = answer.as_object();
  session.print("run " + text_of(object, "run") + " is " + session.paint(text_of(object, "state")) + "\n");
  const auto* reasons = array_of(object, "reasons");
  if (!reasons) return 0;
  for (const auto& reason : *reasons)
    if (reason.is_object()) session.print("- " + base::printable(text_of(reason.get_object(), "text"), true) + "\n");
  return 0;
}

int cancel(Session& session) {
  return steer(session, "run.cancel", "is being cancelled", run_of(session));
}
int pause(Session& session) {
  return steer(session, "run.pause", "is paused", run_of(session));
}
int resume(Session& session) {
  return steer(session, "run.resume", "goes on", run_of(session));
}

int signal(Session& session) {
  auto request = run_of(session);
  request["name"] = session.line.text("NAME");
  if (session.line.has("JSON")) request["payload"] = value_of(session.line.text("JSON"));
  return steer(session, "run.signal", "has the signal", std::move(request));
}

int approve(Session& session) {
  auto request = run_of(session);
  const bool approved = !session.line.has("reject");
  request["step"] = session.line.text("STEP");
  request["approved"] = approved;
  if (session.line.has("comment")) request["comment"] = session.line.text("comment");
  return steer(session, "run.approve", approved ? "has the approval" : "has the rejection", std::move(request));
}

int run_migrate(Session& session) {
  auto request = run_of(session);
  request["to"] = session.line.has("to") ? session.line.text("to") : "latest";
  request["dry"] = session.line.has("dry");
  const auto answer = session.call("run.migrate", std::move(request));
  const auto& report = answer.as_object();
  const bool done = report.at("done").as_bool();
  const auto* unknown = array_of(report, "unknown");
  const std::string problem = text_of(report, "problem");
  const bool fits = problem.empty() && (!unknown || unknown->empty());
  if (session.json) {
    session.print_json(answer);
    return fits ? 0 : 1;
  }
  session.print("from " + text_of(report, "from").substr(0, 12) + " to " + text_of(report, "to").substr(0, 12) + "\n");
  if (unknown)
    for (const auto& path : *unknown)
      session.print("- recorded, and not in that version: " + base::printable(std::string(path.as_string()), true) +
                    "\n");
  if (const auto* changed = array_of(report, "changed"))
    for (const auto& stage : *changed)
      session.print("- changed, and what its steps gave is kept: " +
                    base::printable(std::string(stage.as_string()), true) + "\n");
  if (!problem.empty()) session.print("- it would not go on: " + base::printable(problem, true) + "\n");
  print_sides(session, report);
  if (const auto* next = array_of(report, "next"))
    for (const auto& path : *next)
      session.print("- goes on with " + base::printable(std::string(path.as_string()), true) + "\n");
  session.print(done   ? "The run goes on with that version.\n"
                : fits ? "Nothing was changed.\n"
                       : "It does not fit; nothing was changed.\n");
  return fits ? 0 : 1;
}

int retry(Session& session) {
  auto request = run_of(session);
  if (session.line.has("from")) request["from"] = session.line.text("from");
  json::object set;
  for (const auto& assignment : session.line.texts("set")) {
    const auto equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0)
      throw base::Error(base::ErrorKind::usage, "--set " + assignment + " is no PATH=JSON");
    const std::string path = assignment.substr(0, equals), value = assignment.substr(equals + 1);
    // What is nearly JSON would become a text, and a step's output for good.
    if (!base::is_json(value))
      throw base::Error(base::ErrorKind::usage, "--set " + assignment + ": what follows the = is no JSON", {},
                        "a text has quotes: --set '" + path + "=\"some text\"'");
    set[path] = base::parse_json(value);
  }
  if (!set.empty()) request["set"] = std::move(set);
  if (session.line.has("skip")) request["skip"] = json::value_from(session.line.texts("skip"));
  const auto answer = session.call("run.retry", std::move(request));
  const std::string run = text_of(answer.as_object(), "run");
  if (session.json) {
    session.print_json(answer);
  } else {
    session.print((session.quiet ? "" : "run ") + run + "\n");
  }
  return 0;
}

}  // namespace godwit::cli
