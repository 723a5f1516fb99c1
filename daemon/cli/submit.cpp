#include "base/utf8.hpp"
#include "base/json_text.hpp"
#include "cli/commands.hpp"
#include "cli/parameters.hpp"
#include "cli/text.hpp"
#include "cli/watcher.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

constexpr std::int64_t kCountMax = 10'000'000;
constexpr std::size_t kRunsPerRequest = 5'000;
constexpr std::size_t kBytesPerRequest = 4u << 20;

json::object parameters(const CommandLine& line) {
  json::object params;
  if (line.has("params")) {
    const std::string file = line.text("params");
    auto value = base::parse_json(read_text(file, kParametersMax), file);
    if (!value.is_object()) throw base::refused("the parameters are no JSON object", {file, 0, 0, {}});
    params = std::move(value.get_object());
  }
  for (const auto& assignment : line.texts("param")) set_parameter(params, assignment);
  return params;
}

json::object job_of(const CommandLine& line) {
  const std::string word = line.text("JOB|FILE");
  if (!names_file(word)) return {{"job", word}};
  return {{"text", read_job_text(word)}, {"file", base::repaired_utf8(word)}};
}

// An empty value comes from a variable that is not set, and would make another run than was meant.
base::Error empty_value(const std::string& what, const std::string& option, const std::string& without) {
  return base::Error(base::ErrorKind::usage, what, {},
                     "leave " + option + " out for " + without + "; a variable that is not set makes an empty one");
}

void require_text(const CommandLine& line, const std::string& option, const std::string& what,
                  const std::string& without) {
  if (line.has(option) && line.text(option).empty()) throw empty_value(what + " is empty", "--" + option, without);
}

json::array stages_of(const std::string& only) {
  json::array stages;
  for (std::size_t begin = 0; begin <= only.size();) {
    const auto end = std::min(only.find(',', begin), only.size());
    if (end > begin) stages.emplace_back(json::string(std::string_view(only).substr(begin, end - begin)));
    begin = end + 1;
  }
  if (stages.empty()) throw empty_value("--only '" + only + "' names no stage", "--only", "all stages");
  return stages;
}

// What the request says beside the job and its parameters.
void add_options(const CommandLine& line, json::object& request) {
  if (line.has("queue")) request["queue"] = line.text("queue");
  if (const auto priority = line.number("priority", -100)) request["priority"] = *priority;
  if (line.has("stop-after")) request["stop_after"] = line.text("stop-after");
  if (line.has("only")) request["only"] = stages_of(line.text("only"));
}

// The runs that a submit of many has stored so far.
struct Stored {
  std::int64_t count = 0;
  json::value first, last;
  json::array all;  // for --json only

  std::string text() const {
    return base::serialize(first) + (count == 1 ? "" : " to " + base::serialize(last));
  }
};

// One request after the other, each for as many as fit into it.
void submit_in_parts(Session& session, const json::object& job, const json::object& params, std::int64_t count,
                     Stored& stored) {
  const std::size_t each = base::serialize(params).size() + 1;
  const auto per_request =
      static_cast<std::int64_t>(std::clamp<std::size_t>(kBytesPerRequest / each, 1, kRunsPerRequest));
  while (stored.count < count) {
    auto request = job;
    request["params"] = json::array(static_cast<std::size_t>(std::min(count - stored.count, per_request)), params);
    const auto answer = session.call("run.submit_many", std::move(request));
    for (const auto& run : answer.as_object().at("runs").as_array()) {
      if (session.quiet && !session.json) session.print(base::serialize(run) + "\n");
      if (session.json) stored.all.push_back(run);
      if (stored.first.is_null()) stored.first = run;
      stored.last = run;
      ++stored.count;
    }
  }
}

// The error that cut a submit of many off, with what was stored before.
base::Error cut_off(const base::Error& error, const Stored& stored, std::int64_t count) {
  const auto& problem = error.problems().front();
  const std::string text = stored.count == 0 ? std::string("none of ") + grouped(count) + " runs is known to be stored"
                                             : grouped(stored.count) + " of " + grouped(count) +
                                                   " runs were stored, " + stored.text();
  // Where the daemon gave a reason it did nothing.
  const bool doubtful = error.kind() == base::ErrorKind::unavailable && problem.hint.empty();
  return base::Error(error.kind(), problem.what + "; " + text, problem.place,
                     doubtful ? "whether those of the last request were stored is not known: see `godwit list`"
                              : problem.hint);
}

int submit_many(Session& session, const json::object& job, const json::object& params, std::int64_t count) {
  Stored stored;
  session.client();
  try {
    submit_in_parts(session, job, params, count, stored);
  } catch (const base::Error& error) {
    if (stored.count == 0 && error.kind() != base::ErrorKind::unavailable) throw;
    if (session.json) session.print_json(json::object{{"runs", std::move(stored.all)}});
    throw cut_off(error, stored, count);
  }
  if (session.json) {
    session.print_json(json::object{{"runs", std::move(stored.all)}});
  } else if (!session.quiet) {
    session.print(grouped(count) + (count == 1 ? " run, " : " runs, ") + stored.text() + "\n");
  }
  return 0;
}

json::object submit_one(Session& session, json::object request) {
  const bool keyed = request.contains("key");
  session.client();
  try {
    return session.call("run.submit", std::move(request)).as_object();
  } catch (const base::Error& error) {
    const auto& problem = error.problems().front();
    if (error.kind() != base::ErrorKind::unavailable || !problem.hint.empty()) throw;
    throw base::Error(
        error.kind(), problem.what, problem.place,
        keyed
            ? "submit again with the same --key: it gives the same run if it was stored"
            : "whether the run was stored is not known: see `godwit list`; a submit with --key can be repeated safely");
  }
}

}  // namespace

int submit(Session& session) {
  const auto& line = session.line;
  const bool follow = line.has("follow");
  const bool wait = line.has("wait") || follow;
  const auto count = line.number("count", 1);
  if (count && (wait || line.has("key"))) {
    throw base::Error(base::ErrorKind::usage, "--count goes with neither --wait, --follow nor --key", {},
                      "submit them one by one");
  }
  if (count && *count > kCountMax)
    throw base::Error(base::ErrorKind::usage, "--count is at most " + std::to_string(kCountMax));
  require_text(line, "key", "the key", "a submit without a key");
  require_text(line, "stop-after", "the name of the stage", "all stages");
  auto request = job_of(line);
  auto params = parameters(line);
  if (count) {
    add_options(line, request);
    return submit_many(session, request, params, *count);
  }
  request["params"] = std::move(params);
  add_options(line, request);
  if (line.has("key")) request["key"] = line.text("key");

  const auto receipt = submit_one(session, std::move(request));
  const bool existing = receipt.at("existing").as_bool();
  if (session.json && !wait) session.print_json(receipt);
  if (!session.json && (!wait || follow)) {
    session.print((session.quiet ? "" : "run ") + text_of(receipt, "run") +
                  (existing && !session.quiet ? " (it has this key already)" : "") + "\n");
    std::fflush(stdout);
  }
  if (!wait) return 0;
  const model::RunId run{number_of(receipt, "run")};
  return print_outcome(session, run,
                       Watcher(session, run, follow ? Watcher::Style::follow : Watcher::Style::silent).until_end());
}

}  // namespace godwit::cli
