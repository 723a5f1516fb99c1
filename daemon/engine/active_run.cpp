#include "engine/active_run.hpp"

#include <algorithm>

#include "base/json_text.hpp"
#include "engine/graph_driver.hpp"
#include "engine/script_driver.hpp"

namespace godwit::engine {

ActiveRun::Turn ActiveRun::turn_of(const std::string& job, const base::json::object& given) {
  ActiveRun::Turn turn;
  const auto* key = given.if_contains("key");
  turn.key = !key ? "" : key->is_string() ? std::string(key->get_string()) : base::serialize(*key);
  turn.lock = "job " + job + (key ? " " + base::serialize(*key) : "");
  turn.limit = given.at("limit").to_number<int>();
  for (std::size_t i = 0; i < model::kConcurrencyThen.size(); ++i)
    if (given.at("then").as_string() == model::kConcurrencyThen[i])
      turn.then = static_cast<model::Concurrency::Then>(i);
  return turn;
}

ActiveRun::ActiveRun(Submitted submitted, std::shared_ptr<const CompiledJob> compiled)
    : record(std::move(submitted)), job(std::move(compiled)) {
  if (job->job().script) {
    driver = std::make_unique<ScriptDriver>(job);
  } else {
    driver = std::make_unique<GraphDriver>(record, job);
  }
  if (auto value = base::parse_json(record.pins); value.is_object()) pins = std::move(value.as_object());
  rank = rank_of(record);
  if (record.options.empty()) return;
  const auto options = base::parse_json(record.options);
  if (const auto* given = options.as_object().if_contains("concurrency"))
    concurrency = turn_of(record.job, given->as_object());
}

std::optional<base::Instant> delete_at(const Submitted& run, base::Instant end) {
  if (run.options.empty()) return std::nullopt;
  const auto options = base::parse_json(run.options).as_object();
  const auto* retain = options.if_contains("retain");
  const auto kept = retain ? base::parse_duration(std::string_view(retain->as_string())) : std::nullopt;
  return kept ? std::optional(end + *kept) : std::nullopt;
}

model::RunState ActiveRun::state() const {
  if (paused) return model::RunState::paused;
  if (!blocked.empty()) return model::RunState::blocked;
  if (waits_its_turn) return model::RunState::waiting;
  bool waiting = starved;
  for (const auto& [number, task] : tasks) {
    if (task->phase == StepTask::Phase::running || task->phase == StepTask::Phase::recording)
      return model::RunState::running;
    waiting = true;
  }
  if (waiting) return model::RunState::waiting;
  return touched ? model::RunState::running : model::RunState::queued;
}

std::optional<base::Instant> ActiveRun::deadline() const {
  const auto& timeout = job->job().timeout;
  return timeout && !closing ? std::optional(record.submitted_at + *timeout) : std::nullopt;
}

bool ActiveRun::is_still() const {
  if (ending || advancing || resting) return false;
  for (const auto& [number, task] : tasks)
    if (!task->is_idle()) return false;
  return true;
}

bool ActiveRun::only_waits() const {
  // What its driver would do it has not begun.
  if (waits_its_turn && tasks.empty())
    return !asks_its_turn && !advancing && !ending && !cancelling && !failure && blocked.empty();
  if (tasks.empty() || advancing || ending || cancelling || failure || starved || !blocked.empty()) return false;
  for (const auto& [number, task] : tasks) {
    if (task->asking) return false;
    // How often a step lost its host is known in memory only.
    if (task->phase != StepTask::Phase::waiting && (task->phase != StepTask::Phase::backoff || task->lost > 0))
      return false;
  }
  return driver->idle();
}

bool ActiveRun::is_held() const {
  if (tasks.empty() || starved || leaving || !may_go_on() || !is_still()) return false;
  return std::all_of(tasks.begin(), tasks.end(), [](const auto& entry) {
    const StepTask& task = *entry.second;
    // How often a step lost its host is known in memory only.
    return task.lost == 0 && (task.phase == StepTask::Phase::limit || task.phase == StepTask::Phase::breaker);
  });
}

bool ActiveRun::is_as_submitted() const {
  return last_end == base::Instant{} && attempts.empty() && waits.empty() && !noted && !closing &&
         std::all_of(tasks.begin(), tasks.end(), [](const auto& entry) { return entry.second->attempt == 1; });
}

bool ActiveRun::waits_for_lock() const {
  return waits_its_turn || std::any_of(tasks.begin(), tasks.end(), [](const auto& entry) {
           const StepTask& task = *entry.second;
           return task.phase == StepTask::Phase::waiting && task.wait->kind == WaitKind::lock;
         });
}

std::optional<base::Instant> ActiveRun::wakes_at() const {
  auto first = deadline();
  for (const auto& [number, task] : tasks)
    if (const auto at = task->wakes_at(); at && (!first || *at < *first)) first = at;
  return first;
}

}  // namespace godwit::engine
