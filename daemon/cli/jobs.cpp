#include "base/terminal.hpp"
#include "base/json_text.hpp"
#include "base/utf8.hpp"
#include "cli/commands.hpp"
#include "cli/lab.hpp"
#include "cli/parameters.hpp"
#include "cli/session.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

json::object checked(Session& session, const std::string& file) {
  try {
    auto verdict =
        session.call("job.validate", {{"text", read_job_text(file)}, {"file", base::repaired_utf8(file)}}).as_object();
    verdict["file"] = base::repaired_utf8(file);
    return verdict;
  } catch (const base::Error& error) {
    if (error.kind() == base::ErrorKind::unavailable || error.kind() == base::ErrorKind::denied) throw;
    return {
        {"valid", false}, {"file", base::repaired_utf8(file)}, {"problems", wire::problems_to_json(error.problems())}};
  }
}

void print_parameters(Session& session, const json::object& params) {
  Table table({{"PARAMETER"}, {"SCHEMA"}});
  for (const auto& member : params) table.add({std::string(member.key()), base::serialize(member.value())});
  if (!table.empty()) session.print("\n" + table.text(session.width));
}

}  // namespace

int job_list(Session& session) {
  const auto jobs = session.call("job.list");
  if (session.json) {
    session.print_json(jobs);
    return 0;
  }
  Table table({{"JOB"}, {"STAGES", Table::Align::right}, {"VERSION"}, {"DESCRIPTION"}});
  for (const auto& value : jobs.as_array()) {
    const auto& job = value.as_object();
    if (session.quiet) session.print(base::printable(text_of(job, "job")) + "\n");
    table.add({text_of(job, "job"), text_of(job, "stages"), text_of(job, "version").substr(0, 12),
               text_of(job, "description")});
  }
  if (!session.quiet)
    session.print(table.empty() ? "The daemon's job folders hold no jobs.\n" : table.text(session.width));
  return 0;
}

int job_show(Session& session) {
  const auto answer = session.call("job.show", {{"job", session.line.text("JOB")}});
  if (session.json) {
    session.print_json(answer);
    return 0;
  }
  const auto& job = answer.as_object();
  if (session.quiet) {
    session.print(base::printable(text_of(job, "version")) + "\n");
    return 0;
  }
  const std::string description = text_of(job, "description");
  session.print(base::printable(text_of(job, "job")) +
                (description.empty() ? std::string() : ": " + base::printable(description)) + "\n");
  session.print("file " + base::printable(text_of(job, "file")) + ", version " +
                base::printable(text_of(job, "version")) + "\n");
  for (const char* member : {"timeout", "queue", "priority"})
    if (const auto value = text_of(job, member); !value.empty())
      session.print(std::string(member) + " " + base::printable(value) + "\n");
  if (const auto* schedules = array_of(job, "schedules"); schedules && !schedules->empty())
    session.print("\n" + table_of(*schedules, session.width));
  if (const auto* params = object_of(job, "params")) print_parameters(session, *params);
  if (const auto* stages = array_of(job, "stages"); stages && !stages->empty())
    session.print("\n" + table_of(*stages, session.width));
  return 0;
}

int job_validate(Session& session) {
  json::array verdicts;
  bool all_valid = true;
  for (const auto& file : session.line.texts("FILE")) {
    auto verdict = checked(session, file);
    const bool valid = verdict.at("valid").as_bool();
    all_valid = all_valid && valid;
    if (!session.json && valid && !session.quiet)
      session.print(base::printable(file) + ": job " + base::printable(text_of(verdict, "job")) + " is valid\n");
    if (!session.json && !valid) {
      for (const auto& problem : wire::problems_from_json(verdict.at("problems").as_array())) {
        session.note((problem.place.file.empty() ? base::printable(file) + ": " : "") + problem.text());
      }
    }
    verdicts.push_back(std::move(verdict));
  }
  if (session.json) session.print_json(verdicts);
  return all_valid ? 0 : base::info(base::ErrorKind::refused).exit_code;
}

int job_graph(Session& session) {
  const std::string word = session.line.text("JOB|FILE");
  const std::string format = session.line.text("format", "text");
  if (names_file(word)) become_lab({{"command", "graph"}, {"file", word}, {"format", format}, {"json", session.json}});
  json::object request{{"job", word}, {"format", format}};
  const auto answer = session.call("job.graph", std::move(request));
  if (session.json) {
    session.print_json(answer);
  } else {
    session.print(base::printable(text_of(answer.as_object(), "text"), true));
  }
  return 0;
}

}  // namespace godwit::cli
