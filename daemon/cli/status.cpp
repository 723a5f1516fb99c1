#include "base/terminal.hpp"
#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/session.hpp"
#include "cli/text.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

constexpr std::size_t kLabelWidth = 9;

const json::object& part(const json::object& of, std::string_view name) {
  static const json::object kNone;
  const auto* found = object_of(of, name);
  return found ? *found : kNone;
}

std::string row(std::string_view label, const std::string& text) {
  return std::string(label) + std::string(kLabelWidth - std::min(label.size(), kLabelWidth), ' ') +
         base::printable(text) + "\n";
}

// "1 process", "3 processes": `one` with the number, in the plural where it needs it.
std::string counted(std::int64_t count, const std::string& one, const std::string& many) {
  return grouped(count) + " " + (count == 1 ? one : many);
}

bool is_true(const json::object& object, std::string_view name) {
  return text_of(object, name) == "true";
}

// Those in memory by what they do; what waits in the database beside them is not counted, but never left unsaid.
std::string runs_text(const json::object& engine) {
  std::string text;
  for (const auto& state : part(engine, "runs_by_state"))
    if (const auto count = number_of(part(engine, "runs_by_state"), state.key()); count > 0)
      text += (text.empty() ? "" : ", ") + grouped(count) + " " + std::string(state.key());
  if (const auto resting = number_of(engine, "runs_resting"); resting > 0)
    text += (text.empty() ? "" : ", ") + grouped(resting) + " asleep";
  if (text.empty()) text = "none at work";
  if (const auto waiting = number_of(engine, "runs_in_queues"); waiting > 0)
    text += "; " + grouped(waiting) + " in queues";
  if (is_true(engine, "more_in_store")) text += "; more wait in the database for a place here";
  return text;
}

std::string plugins_text(const json::object& hosts) {
  std::int64_t processes = 0, stopped = 0;
  if (const auto* list = array_of(hosts, "hosts"))
    for (const auto& host : *list) {
      const auto state = text_of(host.as_object(), "state");
      processes += text_of(host.as_object(), "pid").empty() ? 0 : 1;
      stopped += state == "quarantine" || state == "backoff" ? 1 : 0;
    }
  return counted(processes, "process", "processes") +
         (stopped > 0 ? ", " + grouped(stopped) + " stopped after crashes: see `godwit plugin list`" : "");
}

std::string scripts_text(const json::object& hosts) {
  std::int64_t processes = 0, scripts = 0;
  if (const auto* list = array_of(hosts, "scripts"))
    for (const auto& shard : *list) {
      processes += is_true(shard.as_object(), "running") ? 1 : 0;
      scripts += number_of(shard.as_object(), "scripts");
    }
  return grouped(scripts) + " in " + counted(processes, "process", "processes");
}

std::string node_text(const json::object& store, const json::object& nodes) {
  std::string text = text_of(store, "node");
  const auto others = number_of(nodes, "others");
  text += is_true(nodes, "alone") || others == 0 ? ", alone" : ", beside " + counted(others, "other", "others");
  if (is_true(nodes, "draining")) text += ", draining";
  if (text_of(nodes, "lease_held") == "false") text += ", without a lease";
  return text;
}

std::string database_text(const json::object& store) {
  const auto& journal = part(store, "journal");
  return std::string(is_true(store, "private") ? "godwitd's own" : "yours") + ", " +
         counted(number_of(journal, "waiting"), "fact waits", "facts wait") + " to be written";
}

// Why the database is away and since when, as a row; nothing while it is there.
std::string trouble_row(const json::object& store) {
  const auto error = text_of(store, "error");
  if (text_of(store, "state") == "up" || error.empty()) return {};
  const auto since = local_time(store, "since");
  return row("trouble", one_line(error) + (since.empty() ? "" : ", since " + since));
}

std::vector<std::string> problems_of(const json::object& status) {
  std::vector<std::string> all;
  for (const auto& member : status)
    if (const auto* of = member.value().if_object())
      for (auto& text : problem_texts(*of, "problems")) all.push_back(std::move(text));
  return all;
}

void print_status(Session& session, const json::object& status) {
  const auto& engine = part(status, "engine");
  const auto& store = part(status, "store");
  const auto& hosts = part(status, "hosts");
  const auto& jobs = part(status, "jobs");
  const auto& control = part(status, "control");
  session.print("godwitd " + base::printable(text_of(status, "version")) + ", up " +
                clock_text(std::chrono::seconds(number_of(status, "uptime_seconds"))) + ", database " +
                session.paint(text_of(store, "state")) + (is_true(engine, "ready") ? "" : ", not ready yet") + "\n");
  if (const auto ending = text_of(control, "ending"); !ending.empty()) session.print(base::printable(ending) + "\n");
  session.print(row("runs", runs_text(engine)) +
                row("steps", grouped(number_of(engine, "steps_in_flight")) + " under way, " +
                                 grouped(number_of(engine, "steps_done")) + " done since the start") +
                row("jobs", grouped(number_of(jobs, "jobs"))) + row("plugins", plugins_text(hosts)) +
                row("scripts", scripts_text(hosts)) + row("database", database_text(store)) + trouble_row(store) +
                row("node", node_text(store, part(engine, "nodes"))) +
                row("clients", grouped(number_of(control, "sessions")) + " at " + text_of(control, "socket")));
  for (const auto& problem : problems_of(status))
    session.print("problem: " + base::printable(problem, true) + "\n");
}

}  // namespace

int status(Session& session) {
  const auto answer = session.call("daemon.status");
  const auto& status = answer.as_object();
  const std::string state = text_of(part(status, "store"), "state");
  if (session.json)
    session.print_json(answer);
  else if (session.quiet)
    session.print(base::printable(state) + "\n");
  else
    print_status(session, status);
  return state == "up" ? 0 : base::info(base::ErrorKind::unavailable).exit_code;
}

}  // namespace godwit::cli
