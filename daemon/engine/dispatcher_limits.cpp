// The part of Dispatcher that is about what steps wait for before they are tried: limits, and providers that are down.
#include "engine/dispatcher.hpp"
#include "engine/runner.hpp"

namespace godwit::engine {

namespace {

// Whether a provider said that it has had enough, and nothing worse.
bool is_refusal(const model::Failure& failure) {
  return failure.code == "rate_limited" || failure.code == "http_429" ||
         (failure.retry_after && failure.code != "provider_down");
}

}  // namespace

void Dispatcher::take_limits(ActiveRun& run, StepTask& task) {
  if (held_by_breaker(run, task)) return;
  const auto& demand = task.request.limits().take;
  if (!demand.empty()) {
    try {
      if (task.request.own_limits)
        for (const auto& [name, count] : demand) parts_.limits.check_step(name, count, run.job->job().limits);
    } catch (const base::Error& error) {
      return on_failure(run, task, {"bad_limit", error.what(), false, {}});
    }
    task.phase = StepTask::Phase::limit;
    task.since = parts_.clock.now();
    task.ticket = parts_.limits.acquire(
        demand, model::text(run.id()) + "/" + task.path(),
        [this, id = run.id(), number = task.number] {
          with_task(id, number, [this](ActiveRun& active, StepTask& granted) { start(active, granted); });
        },
        Asker{static_cast<std::uint64_t>(model::number(run.id())), run.rank.priority});
    if (parts_.limits.waiting(task.ticket)) return leave_flight(task);
  }
  start(run, task);
}

// Whether the step waits for its provider to be tried again, or fails for it at once.
bool Dispatcher::held_by_breaker(ActiveRun& run, StepTask& task) {
  const Callable* callable = task.request.callable();
  if (!callable || parts_.breakers.admits(*callable)) return false;
  parts_.limits.release(std::exchange(task.ticket, 0));
  if (!task.policy().waits_for_provider) {
    on_failure(
        run, task,
        {"provider_down", "provider '" + callable->unit + "' is not called for now: " + parts_.breakers.text(*callable),
         true, parts_.breakers.opens_in(*callable)});
    return true;
  }
  hold(task, StepTask::Phase::breaker);
  parts_.breakers.wait(*callable, [this, id = run.id(), number = task.number] {
    bool waits = false;
    with_task(id, number, [this, &waits](ActiveRun& active, StepTask& held) {
      waits = held.phase == StepTask::Phase::breaker;
      if (waits) take_limits(active, held);
    });
    return waits;
  });
  return true;
}

// What a provider answers teaches the rates that the step took tokens of.
void Dispatcher::teach_limits(const StepTask& task, const StepOutcome& outcome) {
  if (!task.ticket) return;
  if (std::holds_alternative<StepSucceeded>(outcome)) return parts_.limits.succeeded(task.ticket);
  const auto* failed = std::get_if<StepFailed>(&outcome);
  if (!failed) return;
  const auto& failure = failed->failure;
  if (is_refusal(failure)) parts_.limits.refused(task.ticket, failure.retry_after);
}

// What says something of the provider, and nothing of the call. A lost process says nothing of it, however many calls
// were lost with it: its pauses and its quarantine are the host pool's.
void Dispatcher::teach_breaker(StepTask& task, const StepOutcome& outcome) {
  const Callable* callable = task.request.callable();
  if (!callable) return;
  using Answer = Breakers::Answer;
  Answer answer = Answer::none;
  std::string code;
  if (std::holds_alternative<StepSucceeded>(outcome)) answer = Answer::good;
  if (const auto* failed = std::get_if<StepFailed>(&outcome)) {
    const auto& failure = failed->failure;
    const bool down = failure.retryable || failure.code == "timeout";
    answer = is_refusal(failure) ? Answer::none : down ? Answer::bad : Answer::good;
    code = failure.code;
  }
  parts_.breakers.end(*callable, std::exchange(task.probes, false), answer, code);
}

}  // namespace godwit::engine
