#include "engine/progress.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>

#include "base/json_text.hpp"
#include "engine/locks.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

constexpr std::size_t kFieldsMax = 64;
constexpr std::size_t kFieldSizeMax = 4 * 1024;
constexpr std::size_t kNameShown = 80;
constexpr std::size_t kDoubtfulShown = 10;

std::string_view phase_name(StepTask::Phase phase) {
  switch (phase) {
    case StepTask::Phase::breaker:
      return "waits for its provider";
    case StepTask::Phase::limit:
      return "waits for a limit";
    case StepTask::Phase::place:
      return "waits for a place among the steps in flight";
    case StepTask::Phase::marking:
      return "starting";
    case StepTask::Phase::queued:
      return "waits for a place in its plugin";
    case StepTask::Phase::running:
      return "running";
    case StepTask::Phase::backoff:
      return "waits to retry";
    case StepTask::Phase::doubtful:
      return "of unknown outcome";
    case StepTask::Phase::recording:
      return "being recorded";
    case StepTask::Phase::opening:
      return "starts another run";
    case StepTask::Phase::waiting:
      return "waits";
    case StepTask::Phase::parked:
      return "waits for the node's lease";
  }
  return "";
}

json::object limit_reason(const StepTask& task, const Limits::View& limit) {
  std::string holders;
  for (const auto& [holder, permits] : limit.holders) {
    if (holders.size() > 200) {
      holders += ", ...";
      break;
    }
    holders += (holders.empty() ? "" : ", ") + holder;
  }
  std::string text = task.path() + " waits for limit '" + limit.name + "': ";
  if (limit.spec.is_rate()) {
    text += "the rate of " + model::format_limit(limit.spec) + " is used up";
    if (limit.rate < limit.spec.rate) text += fmt::format("; after refusals it is {:.4g}/s for now", limit.rate);
    if (!limit.why.empty()) text += ": " + limit.why;
    if (limit.until.count() > 0) text += ", for another " + base::format_duration(limit.until);
  } else if (limit.spec.permits == 0) {
    text += "it lets nothing through for now (godwit limit set or unset " + limit.name + ")";
  } else if (limit.too_many > 0) {
    text += (limit.before.empty() ? "it" : limit.before + ", which came before it,") + " needs " +
            std::to_string(limit.too_many) + " of " + std::to_string(limit.spec.permits) +
            " permits and can never start; raise the limit (godwit limit set " + limit.name + " " +
            std::to_string(limit.too_many) + ")";
  } else {
    text += std::to_string(limit.used) + " of " + std::to_string(limit.spec.permits) + " permits are taken" +
            (holders.empty() ? "" : " by " + holders);
  }
  return {{"code", "limit"},     {"text", text},       {"step", task.path()},
          {"limit", limit.name}, {"used", limit.used}, {"permits", limit.spec.permits}};
}

void explain_task(const StepTask& task, const Limits& limits, const Breakers& breakers, json::array& out) {
  switch (task.phase) {
    case StepTask::Phase::breaker: {
      const Callable& callable = *task.request.callable();
      out.push_back(json::object{{"code", "provider_down"},
                                 {"step", task.path()},
                                 {"provider", callable.unit},
                                 {"text", task.path() + " waits for provider '" + callable.unit + "', which is not called for now: " +
                                              breakers.text(callable)}});
      break;
    }
    case StepTask::Phase::limit:
      for (const auto& limit : limits.missing(task.ticket)) out.push_back(limit_reason(task, limit));
      break;
    case StepTask::Phase::place:
      out.push_back(json::object{
          {"code", "steps_in_flight"},
          {"step", task.path()},
          {"text", task.path() + " waits for a place among the steps in flight (engine.steps_in_flight_max)"}});
      break;
    case StepTask::Phase::backoff: {
      const std::string until = base::format_instant(task.next_at);
      out.push_back(json::object{
          {"code", "backoff"},
          {"step", task.path()},
          {"until", until},
          {"text", task.path() + " is tried again at " + until + " (attempt " + std::to_string(task.attempt) +
                       ") after: " + task.last_failure.code + ": " + task.last_failure.message}});
      break;
    }
    case StepTask::Phase::queued:
      out.push_back(json::object{
          {"code", "plugin_busy"},
          {"step", task.path()},
          {"plugin", task.request.callable()->plugin},
          {"text", task.path() + " waits for a free place in plugin '" + task.request.callable()->plugin + "'"}});
      break;
    case StepTask::Phase::running: {
      const Callable* callable = task.request.callable();
      out.push_back(json::object{{"code", "running"},
                                 {"step", task.path()},
                                 {"text", task.path() + " has been running " +
                                              (callable ? "in plugin '" + callable->plugin + "'" : "in the database") +
                                              " since " + base::format_instant(task.since)}});
      break;
    }
    case StepTask::Phase::waiting:
      out.push_back(wait_reason(*task.wait));
      break;
    case StepTask::Phase::parked:
      out.push_back(json::object{{"code", "lease"},
                                 {"step", task.path()},
                                 {"text", task.path() + " waits until this node has heard from the database again"}});
      break;
    case StepTask::Phase::marking:
    case StepTask::Phase::doubtful:
    case StepTask::Phase::opening:
    case StepTask::Phase::recording:
      break;
  }
}

}  // namespace

json::object wait_reason(const WaitOpened& wait) {
  constexpr std::array<std::string_view, 5> kCodes{"sleep", "signal", "approval", "child", "lock"};
  const std::string_view code = kCodes.at(static_cast<std::size_t>(wait.kind));
  json::object reason{{"code", json::string_view(code.data(), code.size())}, {"step", wait.path}};
  std::string text = wait.path;
  switch (wait.kind) {
    case WaitKind::sleep:
      text += " sleeps";
      break;
    case WaitKind::signal:
      text +=
          " waits for the signal '" + wait.name + "' (godwit signal " + model::text(wait.run) + " " + wait.name + ")";
      break;
    case WaitKind::approval:
      text += " waits for approval (godwit approve " + model::text(wait.run) + " " + wait.path + ")";
      break;
    case WaitKind::lock: {
      const auto about = base::parse_json(wait.detail).as_object();
      text += " waits for the lock '" + std::string(about.at("lock").as_string()) + "', which " +
              std::string(about.at("before").as_string()) + " has";
      break;
    }
    case WaitKind::child:
      text += " waits for run " + (wait.child ? model::text(*wait.child) : std::string("of another job"));
      break;
  }
  if (wait.until) {
    reason["until"] = base::format_instant(*wait.until);
    text += " until " + base::format_instant(*wait.until);
  }
  reason["text"] = std::move(text);
  return reason;
}

std::string unknown_outcome(model::RunId run, const std::vector<std::string>& paths, const std::string& how) {
  const std::string number = model::text(run);
  const bool one = paths.size() == 1;
  std::string names;
  for (std::size_t i = 0; i < std::min(paths.size(), kDoubtfulShown); ++i) names += (i > 0 ? ", " : "") + paths[i];
  if (paths.size() > kDoubtfulShown) names += " and " + std::to_string(paths.size() - kDoubtfulShown) + " more";
  return "unknown outcome of " + names + ": " + how + " and " + (one ? "the call is" : "these calls are") +
         " not safe to repeat; `godwit retry " + number + "` makes " + (one ? "it" : "all of them") +
         " again, `godwit cancel " + number + "` ends the run; who knows that " + (one ? "the call" : "one of them") +
         " went through cancels the run, then lets `godwit retry " + number + " --set " + paths.front() +
         "=OUTPUT` go on from there";
}

json::object turn_reason(const ActiveRun::Turn& turn, const std::vector<LockRow>& before) {
  std::string text = "waits for its turn (concurrency " + std::to_string(turn.limit) +
                     (turn.key.empty() ? "" : " with the key '" + turn.key + "'") + ")";
  if (!before.empty()) text += ": " + text_of(before) + " has it";
  json::array runs;
  for (const auto& row : before) runs.push_back(model::number(row.run));
  return {{"code", "concurrency"}, {"text", std::move(text)}, {"key", turn.key}, {"runs", std::move(runs)}};
}

std::string show_fields(json::object& shown, json::object fields) {
  std::string refused;
  for (auto& field : fields) {
    const bool fits = field.key().size() + base::serialize(field.value()).size() <= kFieldSizeMax &&
                      (shown.size() < kFieldsMax || shown.contains(field.key()));
    if (fits) {
      shown[field.key()] = std::move(field.value());
    } else if (refused.empty()) {
      refused = field.key().substr(0, kNameShown);
    }
  }
  return refused;
}

json::object progress_of(const ActiveRun& run) {
  json::object progress = run.driver->progress();
  if (run.tasks.size() == 1 && run.tasks.begin()->second->progress_total > 0) {
    progress["done"] = run.tasks.begin()->second->progress_done;
    progress["total"] = run.tasks.begin()->second->progress_total;
  }
  progress["fields"] = run.fields;
  return progress;
}

json::object live_view(const ActiveRun& run) {
  json::object view = progress_of(run);
  view["run"] = model::number(run.id());
  view["job"] = run.record.job;
  view["state"] = model::name(run.state());
  if (!run.blocked.empty()) view["blocked"] = run.blocked;
  json::array steps;
  for (const auto& [number, task] : run.tasks) {
    if (steps.size() == 50) break;
    json::object step{{"path", task->path()},
                      {"phase", phase_name(task->phase)},
                      {"attempt", task->attempt},
                      {"since", base::format_instant(task->since)}};
    if (task->progress_total > 0)
      step["progress"] = json::object{{"done", task->progress_done}, {"total", task->progress_total}};
    steps.push_back(std::move(step));
  }
  view["steps"] = std::move(steps);
  return view;
}

json::object paused_reason(model::RunId run) {
  return {{"code", "paused"}, {"text", "paused by a person; `godwit resume " + model::text(run) + "` lets it go on"}};
}

json::array reasons(const ActiveRun& run, const Limits& limits, const Breakers& breakers, const Store& store) {
  json::array out;
  const auto status = store.status();
  if (const auto* state = status.if_contains("state"); state && *state != "up")
    out.push_back(json::object{
        {"code", "database"},
        {"text", "the database is " + std::string(state->as_string()) + "; nothing is recorded until it is back"}});
  if (run.paused) out.push_back(paused_reason(run.id()));
  if (run.waits_its_turn) out.push_back(turn_reason(*run.concurrency, run.before));
  if (!run.blocked.empty())
    out.push_back(json::object{{"code", "blocked"}, {"text", run.blocked}, {"step", run.blocked_path}});
  if (run.cancelling)
    out.push_back(
        json::object{{"code", "cancelling"}, {"text", "is being cancelled; waits for the steps under way to end"}});
  if (run.starved)
    out.push_back(json::object{{"code", "steps_in_flight"},
                               {"text", "waits for a place among the steps in flight (engine.steps_in_flight_max)"}});
  for (const auto& [number, task] : run.tasks) {
    if (out.size() >= 20) break;
    explain_task(*task, limits, breakers, out);
  }
  return out;
}

}  // namespace godwit::engine
