// The part of Dispatcher that records how steps ended, and what follows once that is stored.
#include "engine/dispatcher.hpp"
#include "engine/runner.hpp"

namespace godwit::engine {

namespace json = base::json;

void Dispatcher::record(ActiveRun& run, StepTask& task, model::StepState state, std::string output,
                        std::optional<model::Failure> failure, std::vector<Emitted> emitted) {
  if (failure) task.last_failure = *failure;
  StepDone done{run.id(),          task.path(),        state,           task.attempt,       task.request.args_hash,
                std::move(output), std::move(failure), task.started_at, run.next_end(parts_.clock.now()), std::move(emitted),
                task.request.line};
  std::vector<Fact> facts = std::move(task.more);
  run.driver->settling(task.request, done, facts);
  facts.emplace_back(std::move(done));
  task.phase = StepTask::Phase::recording;
  run.driver->left(task.request);
  leave_flight(task);
  // The last step takes the run's end with it: one commit less for every run.
  const bool with_end = run.tasks.size() == 1 && run.orphans.empty() && !run.failure && !run.cancelling &&
                        state != model::StepState::failed && run.driver->is_last(task.request);
  std::optional<RunDone> end;
  if (with_end) {
    run.ending = true;
    end = runner_.make_end(run);
    facts.emplace_back(*end);
  }
  const auto keep = runner_.runs().at(run.id());
  std::vector<std::string> free;
  for (const auto& fact : facts)
    if (const auto* lock = std::get_if<LockReleased>(&fact)) free.push_back(lock->name);
  parts_.store.append(std::move(facts),
                      [this, keep, number = task.number, state, end = std::move(end),
                       free = std::move(free)](const Verdict& verdict) {
                        on_recorded(keep, number, state, end.has_value(), verdict);
                        for (const auto& name : free) parts_.locks.released(name);
                        if (end && verdict.kind == Verdict::committed) runner_.end(*keep, *end);
                      });
}

void Dispatcher::on_recorded(const std::shared_ptr<ActiveRun>& run, std::uint64_t number, model::StepState state,
                             bool with_end, const Verdict& verdict) {
  if (verdict.kind == Verdict::fenced) return runner_.fenced();
  StepTask& task = *run->tasks.at(number);
  if (verdict.kind == Verdict::refused) {
    run->ending = run->ending && !with_end;
    return on_refused(run, task, verdict.message);
  }
  ++steps_done_;
  run->driver->recorded(task.request, state);
  const json::object event = step_event(*run, task, state);
  run->tasks.erase(number);
  if (!with_end) {
    runner_.note_progress(*run);
    runner_.advance(*run);
  }
  if (event.empty()) return;
  if (with_end) return parts_.followers.tell(run->id(), Interest::everything, event);
  // Who watches can wait for what works: the next call leaves for its host first.
  parts_.clock.post([this, id = run->id(), event] { parts_.followers.tell(id, Interest::everything, event); });
}

// The store cannot hold what the step gave. What it can always hold is the reason, in words of ours.
void Dispatcher::on_refused(const std::shared_ptr<ActiveRun>& run, StepTask& task, const std::string& why) {
  model::Failure failure{"store_refused", "the output cannot be stored: " + why, false, {}};
  task.last_failure = failure;
  StepDone done{.run = run->id(),
                .path = task.path(),
                .state = model::StepState::failed,
                .attempt = task.attempt,
                .args_hash = task.request.args_hash,
                .failure = failure,
                .started_at = task.started_at,
                .finished_at = run->next_end(parts_.clock.now()),
                .line = task.request.line};
  std::vector<Fact> facts;
  run->driver->settling(task.request, done, facts);
  facts.emplace_back(std::move(done));
  parts_.store.append(std::move(facts), [this, run, number = task.number](const Verdict& second) {
    on_recorded(run, number, model::StepState::failed, false, second.kind == Verdict::refused ? Verdict{} : second);
  });
  runner_.fail(*run, std::move(failure), task.path());
}

// What followers hear of a step that was recorded; empty when nobody follows, and for most items.
json::object Dispatcher::step_event(const ActiveRun& run, const StepTask& task, model::StepState state) const {
  if (!parts_.followers.watched(run.id(), Interest::everything)) return {};
  if (task.policy().one_of_many && state == model::StepState::succeeded) return {};
  json::object event{{"event", "step"},
                     {"run", model::number(run.id())},
                     {"path", task.path()},
                     {"state", model::name(state)},
                     {"attempt", task.attempt}};
  if (state == model::StepState::failed)
    event["error"] = json::object{{"code", task.last_failure.code}, {"message", task.last_failure.message}};
  return event;
}

}  // namespace godwit::engine
