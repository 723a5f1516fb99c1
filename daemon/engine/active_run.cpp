#include "engine/active_run.hpp"

namespace godwit::engine {

namespace json = base::json;

ActiveRun::ActiveRun(Submitted submitted, std::shared_ptr<const CompiledJob> compiled)
    : record(std::move(submitted)), job(std::move(compiled)), plan(job->new_plan()), stages(job->stages().size()) {
  params = base::parse_json(record.params);
  if (auto value = base::parse_json(record.pins); value.is_object()) pins = std::move(value.as_object());
  about = json::object{{"id", model::number(record.run)},
                       {"job", record.job},
                       {"submitted_at", base::format_instant(record.submitted_at)}};
  scope.set("params", params);
  scope.set("run", about);
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

void ActiveRun::publish(std::size_t index) {
  StageData& stage = stages[index];
  const CompiledJob::Stage& compiled = job->stages()[index];
  if (!compiled.output_wanted) return;
  if (stage.skipped) {
    stage.value = nullptr;
  } else if (!compiled.foreach) {
    stage.value =
        stage.outputs.empty() || stage.outputs[0].empty() ? json::value() : base::parse_json(stage.outputs[0]);
  } else {
    const bool skip_failed = compiled.spec->on_item_error == model::OnItemError::skip;
    json::array items;
    for (std::size_t i = 0; i < stage.items.size(); ++i) {
      const auto item = static_cast<std::int64_t>(i);
      const auto other = stage.not_succeeded.find(item);
      if (other != stage.not_succeeded.end() && skip_failed) continue;
      json::object entry{{"item", stage.items[i]}, {"index", item}};
      entry["state"] = model::name(other == stage.not_succeeded.end() ? model::StepState::succeeded : other->second);
      entry["output"] = stage.outputs[i].empty() ? json::value() : base::parse_json(stage.outputs[i]);
      const auto why = stage.failures.find(item);
      entry["error"] = why == stage.failures.end()
                           ? json::value()
                           : json::object{{"code", why->second.code}, {"message", why->second.message}};
      items.push_back(std::move(entry));
    }
    // Counted here and not taken from the plan: the last step is not recorded yet when the run's result is made with
    // it.
    const auto others = stage.not_succeeded.size();
    stage.value = json::object{{"count", stage.items.size()},
                               {"succeeded", stage.items.size() - others},
                               {"failed", others},
                               {"items", std::move(items)}};
  }
  stage.outputs = {};
  scope.set_member("stages", compiled.spec->name, stage.value);
}

ActiveRun::Done ActiveRun::done() const {
  Done sum;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const auto& counts = plan.counts(i);
    sum.done += counts.finished();
    sum.failed += counts.failed;
    sum.total += plan.phase(i) == Plan::Phase::pending ? 1 : counts.total;
  }
  return sum;
}

}  // namespace godwit::engine
