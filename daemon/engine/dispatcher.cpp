#include "engine/dispatcher.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "engine/backoff.hpp"
#include "engine/progress.hpp"
#include "engine/runner.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

// How much blame for lost hosts a step may gather before it fails for it. A step that was alone in its host has all
// of the blame, one of sixteen a sixteenth: the host may have been lost through somebody else's fault, and who is
// innocent gets through meanwhile.
constexpr double kBlameMax = 3.5;
constexpr std::int64_t kTokensMax = 1'000'000'000;

model::Failure failure_of(const base::Error& error, std::string code) {
  return {std::move(code), error.what(), false, {}};
}

}  // namespace

// Passes what one attempt says on to the runner. Belongs to its task, and so to its run.
class Dispatcher::Listener : public StepListener {
 public:
  Listener(Dispatcher& dispatcher, ActiveRun& run, StepTask& task) : dispatcher_(dispatcher), run_(run), task_(task) {}

  void started() override {
    task_.phase = StepTask::Phase::running;
    task_.since = task_.started_at = dispatcher_.parts_.clock.now();
    dispatcher_.runner_.tell_progress(run_);
  }
  void progress(std::uint64_t done, std::uint64_t total, std::string fields) override {
    task_.progress_done = done;
    task_.progress_total = total;
    if (!fields.empty()) {
      try {
        if (auto value = base::parse_json(fields); value.is_object())
          dispatcher_.show_fields(run_, task_.path(), std::move(value.as_object()));
      } catch (const base::Error& error) {
        base::log::warning("run {} {}: fields of progress are {}", model::text(run_.id()), task_.path(), error.what());
      }
    }
    dispatcher_.runner_.note_progress(run_);
  }
  void log(LogLevel level, std::string text, std::string fields, std::string_view stream) override {
    dispatcher_.log(run_, task_.path(), level, std::move(text), std::move(fields), stream);
  }
  void checkpoint_put(std::string key, std::string value, std::function<void(bool)> stored) override {
    std::vector<Fact> facts;
    facts.emplace_back(CheckpointPut{run_.id(), task_.path(), std::move(key), std::move(value)});
    dispatcher_.parts_.store.append(std::move(facts), [stored = std::move(stored)](const Verdict& verdict) {
      stored(verdict.kind == Verdict::committed);
    });
  }
  void checkpoint_get(std::string key, std::function<void(std::optional<std::string>)> value) override {
    dispatcher_.parts_.store.read_checkpoint(run_.id(), task_.path(), std::move(key),
                                             [value = std::move(value)](Result<std::optional<std::string>> result) {
                                               value(result ? std::move(*result) : std::nullopt);
                                             });
  }
  void artifact(Artifact artifact, std::function<void(bool)> recorded) override {
    std::vector<Fact> facts;
    facts.emplace_back(ArtifactStored{run_.id(), task_.path(), std::move(artifact), dispatcher_.parts_.clock.now()});
    dispatcher_.parts_.store.append(std::move(facts), [recorded = std::move(recorded)](const Verdict& verdict) {
      recorded(verdict.kind == Verdict::committed);
    });
  }
  void cost(std::string limit, std::int64_t tokens) override {
    const auto& estimated = task_.request.limits().estimated;
    if (std::find(estimated.begin(), estimated.end(), limit) != estimated.end())
      dispatcher_.parts_.limits.settle(task_.ticket, limit, static_cast<int>(std::clamp<std::int64_t>(tokens, 0, kTokensMax)));
  }
  void quota(std::string limit, model::Quota quota) override {
    dispatcher_.parts_.limits.quota(task_.ticket, limit, quota);
  }
  void finished(StepOutcome outcome) override {
    // This goes with the step, which may end in here.
    Runner& runner = dispatcher_.runner_;
    const model::RunId run = run_.id();
    try {
      dispatcher_.on_outcome(run_, task_, std::move(outcome));
    } catch (const base::Error& error) {
      // The plugin whose frame this was did nothing wrong.
      runner.on_defect(run, error);
    }
  }

 private:
  Dispatcher& dispatcher_;
  ActiveRun& run_;
  StepTask& task_;
};

Dispatcher::Dispatcher(Parts parts, Runner& runner, std::size_t in_flight_max, std::uint64_t seed)
    : parts_(parts),
      runner_(runner),
      in_flight_max_(in_flight_max),
      random_(seed),
      waits_(parts.store, parts.clock, parts.followers, parts.locks, runner, *this) {}

Dispatcher::~Dispatcher() = default;

// The callbacks of store, clock and limits may come when the run or the task is gone; this looks both up again.
void Dispatcher::with_task(model::RunId id, std::uint64_t number,
                           const std::function<void(ActiveRun&, StepTask&)>& work) {
  const auto run = runner_.runs().find(id);
  if (run == runner_.runs().end()) return;
  const auto task = run->second->tasks.find(number);
  if (task == run->second->tasks.end()) return;
  const auto keep = run->second;
  work(*keep, *task->second);
}

void Dispatcher::begin(ActiveRun& run, StepRequest request) {
  if (!std::exchange(run.touched, true)) take_turn(run);
  ++run.turn_steps;
  ++in_flight_;
  auto owned = std::make_unique<StepTask>();
  StepTask& task = *owned;
  task.number = ++last_task_;
  task.request = std::move(request);
  task.since = task.started_at = parts_.clock.now();
  run.tasks.emplace(task.number, std::move(owned));
  if (task.request.failure) return on_failure(run, task, std::move(*task.request.failure));
  if (std::holds_alternative<ValueWork>(task.request.work)) return record_value(run, task);
  if (is_wait(task.request.work)) return waits_.begin(run, task);
  if (!check_input(run, task)) return;
  if (!run.attempts.empty()) {
    const auto earlier = run.attempts.find(task.path());
    if (earlier != run.attempts.end()) {
      const UnfinishedRun::Attempts attempts = earlier->second;
      run.attempts.erase(earlier);
      task.attempt = attempts.made + 1;
      task.last_failure = attempts.last_failure;
      task.next_at = attempts.next_at;
      if (task.next_at > parts_.clock.now()) return start_after_backoff(run, task);
    }
  }
  take_limits(run, task);
}

bool Dispatcher::check_input(ActiveRun& run, StepTask& task) {
  const auto* call = std::get_if<CallWork>(&task.request.work);
  if (!call || call->callable->args_schema.empty()) return true;
  try {
    if (!task.request.input_value) task.request.input_value = base::parse_json(task.request.input);
    auto& checker = input_schemas_[call->callable.get()];
    if (!checker.second)
      checker = {call->callable,
                 std::make_unique<jobfile::InputSchema>(call->callable->args_schema, call->callable->name)};
    checker.second->check(*task.request.input_value);
    task.request.input_value.reset();
    return true;
  } catch (const base::Error& error) {
    on_failure(run, task, failure_of(error, "bad_input"));
    return false;
  }
}

// A node that has not heard from the database for too long touches the world no more: others may soon go on instead.
bool Dispatcher::parks(ActiveRun& run, StepTask& task) {
  if (!parts_.lease || parts_.lease->held()) return false;
  task.phase = StepTask::Phase::parked;
  task.since = parts_.clock.now();
  parked_.emplace_back(run.id(), task.number);
  return true;
}

void Dispatcher::unpark() {
  for (const auto& [id, number] : std::exchange(parked_, {}))
    with_task(id, number, [this](ActiveRun& run, StepTask& task) {
      if (task.phase == StepTask::Phase::parked) start(run, task);
    });
}

void Dispatcher::start(ActiveRun& run, StepTask& task) {
  if (parks(run, task) || !enter_flight(run, task)) return;
  // Idle no more: what is given back below may end the run, which must not take this step with it.
  task.phase = StepTask::Phase::marking;
  // It may have been tried in vain while this step waited for its limits.
  if (held_by_breaker(run, task)) return;
  if (const Callable* callable = task.request.callable()) task.probes = parts_.breakers.begin(*callable);
  std::holds_alternative<SqlWork>(task.request.work) ? start_statement(run, task) : mark_or_call(run, task);
}

void Dispatcher::record_value(ActiveRun& run, StepTask& task) {
  const auto state = std::get<ValueWork>(task.request.work).state;
  record(run, task, state, std::move(task.request.input), std::nullopt, {});
}

// A call that must not be repeated blindly is announced in the store first: if this process dies, the next one knows
// that it may have had its effect.
void Dispatcher::mark_or_call(ActiveRun& run, StepTask& task) {
  if (task.policy().repeats(task.request.callable()->retry_safe)) return call(run, task);
  task.phase = StepTask::Phase::marking;
  std::vector<Fact> facts;
  facts.emplace_back(AttemptStarted{run.id(), task.path(), task.attempt, parts_.clock.now()});
  parts_.store.append(std::move(facts), [this, id = run.id(), number = task.number](const Verdict& verdict) {
    if (verdict.kind == Verdict::fenced) return runner_.fenced();
    with_task(id, number, [this](ActiveRun& active, StepTask& marked) { call(active, marked); });
  });
}

void Dispatcher::call(ActiveRun& run, StepTask& task) {
  if (run.failure || run.cancelling) return on_outcome(run, task, StepCancelled{});
  if (draining_) return drop(run, task);
  if (parks(run, task)) return;
  task.phase = StepTask::Phase::queued;
  task.since = parts_.clock.now();
  StepCall call{run.id(),
                task.path(),
                task.attempt,
                parts_.store.store_id() + ":" + model::text(run.id()) + ":" + task.path(),
                task.request.input,
                task.policy().timeout.value_or(base::Duration(0)),
                task.policy().repeats(task.request.callable()->retry_safe),
                run.rank.priority};
  if (!task.listener) task.listener = std::make_unique<Listener>(*this, run, task);
  task.call = parts_.steps.start(std::get<CallWork>(task.request.work).callable, std::move(call), *task.listener);
}

// The statement runs beside the journal, so it must not overtake what was appended before it.
void Dispatcher::start_statement(ActiveRun& run, StepTask& task) {
  task.phase = StepTask::Phase::marking;
  parts_.store.append({}, [this, id = run.id(), number = task.number](const Verdict& verdict) {
    if (verdict.kind == Verdict::fenced) return runner_.fenced();
    with_task(id, number, [this](ActiveRun& active, StepTask& marked) { execute(active, marked); });
  });
}

void Dispatcher::execute(ActiveRun& run, StepTask& task) {
  if (run.failure || run.cancelling) return on_outcome(run, task, StepCancelled{});
  if (draining_) return drop(run, task);
  if (parks(run, task)) return;
  task.phase = StepTask::Phase::running;
  task.since = task.started_at = parts_.clock.now();
  runner_.tell_progress(run);
  const auto& work = std::get<SqlWork>(task.request.work);
  SqlStep step{.done = {.run = run.id(),
                        .path = task.path(),
                        .attempt = task.attempt,
                        .args_hash = task.request.args_hash,
                        .started_at = task.started_at,
                        .line = task.request.line},
               .statement = work.statement,
               .parameters = work.parameters,
               .timeout = task.policy().timeout.value_or(base::Duration(0))};
  parts_.store.execute(std::move(step), [this, id = run.id(), number = task.number](Result<SqlDone> ended) {
    with_task(id, number,
              [this, &ended](ActiveRun& active, StepTask& ran) { on_executed(active, ran, std::move(ended)); });
  });
}

// The step is recorded already; what is left is to tell those who wait for it.
void Dispatcher::on_executed(ActiveRun& run, StepTask& task, Result<SqlDone> ended) {
  if (!ended) {
    // Nothing more can be stored; the next life goes on.
    if (ended.error().kind() == base::ErrorKind::unavailable) return;
    const bool retryable = ended.error().kind() == base::ErrorKind::failed;
    return on_outcome(run, task, StepFailed{{"sql", ended.error().what(), retryable, {}}});
  }
  parts_.limits.release(std::exchange(task.ticket, 0));
  const StepDone done{.run = run.id(),
                      .path = task.path(),
                      .attempt = task.attempt,
                      .args_hash = task.request.args_hash,
                      .output = std::move(ended->output),
                      .started_at = task.started_at,
                      .finished_at = ended->at,
                      .line = task.request.line};
  run.last_end = std::max(run.last_end, done.finished_at);
  std::vector<Fact> more;
  run.driver->settling(task.request, done, more);
  task.phase = StepTask::Phase::recording;
  run.driver->left(task.request);
  leave_flight(task);
  if (!more.empty())
    parts_.store.append(std::move(more), [this](const Verdict& verdict) {
      if (verdict.kind == Verdict::fenced) runner_.fenced();
    });
  on_recorded(runner_.runs().at(run.id()), task.number, done.state, false, {});
}

void Dispatcher::start_after_backoff(ActiveRun& run, StepTask& task) {
  runner_.tell_progress(run);
  hold(task, StepTask::Phase::backoff);
  task.timer = parts_.clock.at(parts_.clock.tick() + (task.next_at - parts_.clock.now()),
                               [this, id = run.id(), number = task.number] {
                                 with_task(id, number, [this](ActiveRun& active, StepTask& waited) {
                                   waited.timer = 0;
                                   take_limits(active, waited);
                                 });
                               });
}

void Dispatcher::on_outcome(ActiveRun& run, StepTask& task, StepOutcome outcome) {
  task.call = 0;
  if (task.timer) parts_.clock.cancel(std::exchange(task.timer, 0));
  teach_limits(task, outcome);
  teach_breaker(task, outcome);
  parts_.limits.release(std::exchange(task.ticket, 0));
  if (auto* success = std::get_if<StepSucceeded>(&outcome))
    on_success(run, task, *success);
  else if (run.failure || run.cancelling || std::holds_alternative<StepCancelled>(outcome))
    drop(run, task);
  else if (auto* failed = std::get_if<StepFailed>(&outcome))
    on_failure(run, task, std::move(failed->failure));
  else
    on_loss(run, task, std::move(std::get<StepLost>(outcome)));
  // Its place is free, and who takes it builds nothing on it: that need not wait for the commit.
  runner_.advance(run);
}

void Dispatcher::on_success(ActiveRun& run, StepTask& task, StepSucceeded& success) {
  try {
    run.driver->shape(task.request, success);
  } catch (const base::Error& error) {
    return on_failure(run, task, failure_of(error, "expression"));
  }
  record(run, task, model::StepState::succeeded, std::move(success.output), std::nullopt, std::move(success.emitted));
}

void Dispatcher::on_loss(ActiveRun& run, StepTask& task, StepLost lost) {
  model::Failure& failure = lost.failure;
  if (!task.policy().repeats(task.request.callable()->retry_safe)) {
    hold(task, StepTask::Phase::doubtful);
    std::vector<std::string> paths;
    for (const auto& [number, held] : run.tasks)
      if (held->phase == StepTask::Phase::doubtful) paths.push_back(held->path());
    // What one process was at work on is lost one after the other, and said of all.
    if (std::find(paths.begin(), paths.end(), run.blocked_path) != paths.end()) run.blocked.clear();
    return runner_.block(
        run, unknown_outcome(run.id(), paths, "its host process was lost in mid-call (" + failure.message + ")"),
        paths.front());
  }
  ++task.lost;
  task.blame += 1.0 / lost.together;
  if (task.blame < kBlameMax) return again(run, task, failure);
  failure.retryable = false;
  on_failure(run, task, std::move(failure));
}

void Dispatcher::on_failure(ActiveRun& run, StepTask& task, model::Failure failure) {
  parts_.limits.release(std::exchange(task.ticket, 0));
  if (failure.retryable && task.attempt < task.policy().retry.attempts + task.lost) return again(run, task, failure);
  const bool fatal = task.policy().fails_run;
  const std::string path = fatal ? task.path() : std::string();
  record(run, task, model::StepState::failed, {}, failure, {});
  if (fatal) runner_.fail(run, std::move(failure), path);
}

void Dispatcher::again(ActiveRun& run, StepTask& task, const model::Failure& failure) {
  const double chance = std::uniform_real_distribution<double>(0, 1)(random_);
  task.last_failure = failure;
  task.next_at = parts_.clock.now() + backoff(task.policy().retry, task.attempt, chance, failure.retry_after);
  std::vector<Fact> facts;
  facts.emplace_back(AttemptFailed{run.id(), task.path(), task.attempt, failure, parts_.clock.now(), task.next_at});
  parts_.store.append(std::move(facts), [this](const Verdict& verdict) {
    if (verdict.kind == Verdict::fenced) runner_.fenced();
  });
  if (draining_) return drop(run, task);
  ++task.attempt;
  start_after_backoff(run, task);
  runner_.consider_rest(run);
}

void Dispatcher::drop(ActiveRun& run, StepTask& task) {
  const auto owned = std::move(run.tasks.extract(task.number).mapped());
  if (owned->phase != StepTask::Phase::recording) run.driver->dropped(owned->request);
  let_go({owned.get()});
}

void Dispatcher::drop_idle(ActiveRun& run) {
  std::vector<std::unique_ptr<StepTask>> idle;
  std::vector<StepTask*> left;
  for (auto& [number, task] : run.tasks)
    if (task->is_idle()) idle.push_back(std::move(task));
  std::erase_if(run.tasks, [](const auto& entry) { return !entry.second; });
  for (const auto& task : idle) {
    run.driver->dropped(task->request);
    left.push_back(task.get());
  }
  let_go(left);
}

// Gives back what these steps have, in limits, breakers and places. That lets other steps begin from inside of it, and
// what they do may end the run: so no run may know the steps any more.
void Dispatcher::let_go(const std::vector<StepTask*>& tasks) {
  for (StepTask* task : tasks) {
    if (task->timer) parts_.clock.cancel(std::exchange(task->timer, 0));
    parts_.limits.release(std::exchange(task->ticket, 0));
    if (std::exchange(task->probes, false))
      parts_.breakers.end(*task->request.callable(), true, Breakers::Answer::none);
    leave_flight(*task);
  }
}

void Dispatcher::log(const ActiveRun& run, const std::string& path, LogLevel level, std::string text,
                     std::string fields, std::string_view stream) {
  const auto at = parts_.clock.now();
  if (parts_.followers.watched(run.id(), Interest::everything))
    parts_.followers.tell(run.id(), Interest::everything, json::object{{"event", "log"},
                                                 {"run", model::number(run.id())},
                                                 {"path", path},
                                                 {"level", name(level)},
                                                 {"stream", json::string_view(stream.data(), stream.size())},
                                                 {"text", text},
                                                 {"fields", fields.empty() ? json::value() : base::parse_json(fields)},
                                                 {"at", base::format_instant(at)}});
  parts_.store.append_relaxed(Logged{run.id(), path, level, std::string(stream), std::move(text), std::move(fields), at});
}

void Dispatcher::show_fields(ActiveRun& run, const std::string& path, json::object fields) {
  const std::string refused = engine::show_fields(run.fields, std::move(fields));
  if (!refused.empty() && !std::exchange(run.told_of_fields, true))
    log(run, path, LogLevel::warning,
        "the field \"" + refused + "\" of progress is not shown: a run shows 64 of 4 KiB each", {}, {});
}

void Dispatcher::cancel(ActiveRun& run, const std::string& path) {
  for (const auto& [number, task] : run.tasks) {
    if (task->path() != path) continue;
    if (task->call) parts_.steps.cancel(task->call);
    task->unwanted = true;
    if (task->phase == StepTask::Phase::waiting) waits_.give_up(run, *task);
    if (task->is_idle()) drop(run, *task);
    return;
  }
}

void Dispatcher::give_up(ActiveRun& run) {
  for (const auto& [number, task] : run.tasks) {
    if (task->call) parts_.steps.cancel(task->call);
    if (task->phase == StepTask::Phase::waiting && task->wait->child) run.orphans.push_back(*task->wait->child);
  }
  drop_idle(run);
}

void Dispatcher::forget(ActiveRun& run) {
  const auto tasks = std::exchange(run.tasks, {});
  std::vector<StepTask*> left;
  for (const auto& [number, task] : tasks) left.push_back(task.get());
  let_go(left);
}

void Dispatcher::repeat_doubtful(ActiveRun& run) {
  std::vector<StepTask*> doubtful;
  for (const auto& [number, task] : run.tasks)
    if (task->phase == StepTask::Phase::doubtful) doubtful.push_back(task.get());
  for (StepTask* task : doubtful) {
    ++task->attempt;
    take_limits(run, *task);
  }
}

void Dispatcher::drain(const std::unordered_map<model::RunId, std::shared_ptr<ActiveRun>>& runs,
                       std::function<void()> drained) {
  draining_ = true;
  drained_ = std::move(drained);
  for (const auto& [id, run] : std::unordered_map(runs)) drop_idle(*run);
  if (in_flight_ == 0 && drained_) parts_.clock.post(std::exchange(drained_, nullptr));
}

}  // namespace godwit::engine
