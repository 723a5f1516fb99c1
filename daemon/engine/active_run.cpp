#include "engine/active_run.hpp"

#include "engine/graph_driver.hpp"

namespace godwit::engine {

ActiveRun::ActiveRun(Submitted submitted, std::shared_ptr<const CompiledJob> compiled)
    : record(std::move(submitted)), job(std::move(compiled)), driver(std::make_unique<GraphDriver>(record, job)) {
  if (auto value = base::parse_json(record.pins); value.is_object()) pins = std::move(value.as_object());
}

model::RunState ActiveRun::state() const {
  if (paused) return model::RunState::paused;
  if (!blocked.empty()) return model::RunState::blocked;
  bool waits = starved;
  for (const auto& [number, task] : tasks) {
    if (task->phase == StepTask::Phase::running || task->phase == StepTask::Phase::recording)
      return model::RunState::running;
    waits = true;
  }
  if (waits) return model::RunState::waiting;
  return touched ? model::RunState::running : model::RunState::queued;
}

}  // namespace godwit::engine
