#include "engine/runner.hpp"

#include "base/digest.hpp"
#include "base/log.hpp"
#include "engine/backoff.hpp"
#include "engine/progress.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

// How much blame for lost hosts a step may gather before it fails for it. A step that was alone in its host has all
// of the blame, one of sixteen a sixteenth: the host may have been lost through somebody else's fault, and who is
// innocent gets through meanwhile.
constexpr double kBlameMax = 3.5;
constexpr auto kProgressInterval = std::chrono::seconds(1);

// Whether nothing of the task is under way outside: it can be given up at once.
bool is_idle(const StepTask& task) {
  return task.phase == StepTask::Phase::limit || task.phase == StepTask::Phase::backoff ||
         task.phase == StepTask::Phase::doubtful;
}

// Whether the run cannot go on when this step has failed for good.
bool fails_run(const ActiveRun& run, StepRef step) {
  return step.item == StepRef::kSingle || run.job->stages()[step.stage].spec->on_item_error == model::OnItemError::fail;
}

model::Failure failure_of(const base::Error& error, std::string code) {
  return {std::move(code), error.what(), false, {}};
}

}  // namespace

// Passes what one attempt says on to the runner. Belongs to its task, and so to its run.
class Runner::Listener : public StepListener {
 public:
  Listener(Runner& runner, ActiveRun& run, StepTask& task) : runner_(runner), run_(run), task_(task) {}

  void started() override {
    task_.phase = StepTask::Phase::running;
    task_.since = task_.started_at = runner_.parts_.clock.now();
  }
  void progress(std::uint64_t done, std::uint64_t total, std::string fields) override {
    task_.progress_done = done;
    task_.progress_total = total;
    if (!fields.empty()) {
      try {
        if (auto value = base::parse_json(fields); value.is_object())
          for (auto& member : value.as_object()) run_.fields[member.key()] = std::move(member.value());
      } catch (const base::Error& error) {
        base::log::warning("run {} {}: fields of progress are {}", model::text(run_.id()), task_.path, error.what());
      }
    }
    runner_.note_progress(run_);
  }
  void log(LogLevel level, std::string text, std::string fields, std::string_view stream) override {
    const auto at = runner_.parts_.clock.now();
    if (runner_.parts_.followers.watched(run_.id()))
      runner_.parts_.followers.tell(run_.id(), json::object{{"event", "log"},
                                                            {"run", model::number(run_.id())},
                                                            {"path", task_.path},
                                                            {"level", name(level)},
                                                            {"stream", json::string_view(stream.data(), stream.size())},
                                                            {"text", text},
                                                            {"at", base::format_instant(at)}});
    runner_.parts_.store.append_relaxed(
        Logged{run_.id(), task_.path, level, std::string(stream), std::move(text), std::move(fields), at});
  }
  void checkpoint_put(std::string key, std::string value, std::function<void(bool)> stored) override {
    std::vector<Fact> facts;
    facts.emplace_back(CheckpointPut{run_.id(), task_.path, std::move(key), std::move(value)});
    runner_.parts_.store.append(std::move(facts), [stored = std::move(stored)](const Verdict& verdict) {
      stored(verdict.kind == Verdict::committed);
    });
  }
  void checkpoint_get(std::string key, std::function<void(std::optional<std::string>)> value) override {
    runner_.parts_.store.read_checkpoint(run_.id(), task_.path, std::move(key),
                                         [value = std::move(value)](Result<std::optional<std::string>> result) {
                                           value(result ? std::move(*result) : std::nullopt);
                                         });
  }
  void finished(StepOutcome outcome) override { runner_.on_outcome(run_, task_, std::move(outcome)); }

 private:
  Runner& runner_;
  ActiveRun& run_;
  StepTask& task_;
};

Runner::Runner(Parts parts, std::size_t in_flight_max, std::uint64_t seed, std::function<void(ActiveRun&)> ended,
               std::function<void()> fenced)
    : parts_(parts),
      in_flight_max_(in_flight_max),
      ended_(std::move(ended)),
      fenced_(std::move(fenced)),
      random_(seed) {}

Runner::~Runner() = default;

ActiveRun* Runner::find(model::RunId run) const {
  const auto found = runs_.find(run);
  return found == runs_.end() ? nullptr : found->second.get();
}

// The callbacks of store, clock and limits may come when the run or the task is gone; this looks both up again.
template <typename Work>
void Runner::with_task(model::RunId id, std::uint64_t number, Work work) {
  const auto run = runs_.find(id);
  if (run == runs_.end()) return;
  const auto task = run->second->tasks.find(number);
  if (task == run->second->tasks.end()) return;
  const auto keep = run->second;
  work(*keep, *task->second);
}

void Runner::take_up(std::shared_ptr<ActiveRun> run) {
  ActiveRun& active = *run;
  runs_[active.id()] = std::move(run);
  arm_timeout(active);
  advance(active);
}

void Runner::arm_timeout(ActiveRun& run) {
  if (!run.job->job().timeout) return;
  const auto left = run.record.submitted_at + *run.job->job().timeout - parts_.clock.now();
  run.timeout_timer = parts_.clock.at(parts_.clock.tick() + left, [this, id = run.id()] {
    ActiveRun* active = find(id);
    if (!active || active->ending || active->failure) return;
    active->timeout_timer = 0;
    fail_run(*active,
             {"timeout",
              "the run did not end within its timeout of " + base::format_duration(*active->job->job().timeout),
              false,
              {}},
             {});
  });
}

void Runner::advance(ActiveRun& run) {
  if (run.ending) return;
  if (run.failure || run.cancelling) return wind_up(run);
  if (draining_ || run.paused || !run.blocked.empty()) return;
  open_stages(run);
  while (!run.failure && !run.ending && run.blocked.empty()) {
    if (in_flight_ >= in_flight_max_) {
      if (!std::exchange(run.starved, true)) starved_.push_back(run.id());
      break;
    }
    const auto step = run.plan.next_step();
    if (!step) break;
    begin(run, *step);
  }
  if (run.failure) return wind_up(run);
  if (!run.ending && run.plan.done() && run.tasks.empty()) finish(run);
}

void Runner::open_stages(ActiveRun& run) {
  while (const auto stage = run.plan.next_to_open()) {
    const std::string& name = run.job->stages()[*stage].spec->name;
    try {
      open_stage(run, *stage);
    } catch (const base::Error& error) {
      return fail_run(run, failure_of(error, "expression"), name);
    } catch (const std::logic_error& error) {
      return block(run, std::string("what is recorded does not fit the job: ") + error.what(), name);
    }
    if (run.failure || run.ending || !run.blocked.empty()) return;
  }
}

// Opening a stage decides what its steps are; the decision is recorded, so that a later life does not decide otherwise.
void Runner::open_stage(ActiveRun& run, std::size_t index) {
  const CompiledJob::Stage& stage = run.job->stages()[index];
  const std::string list = run.job->list_path(index);
  for (const auto& done : run.recorded) {
    if (done.path == stage.spec->name && done.state == model::StepState::skipped) {
      run.stages[index].skipped = true;
      run.plan.open(index);
      return restore(run, index);
    }
    if (done.path == list) {
      run.stages[index].items = base::parse_json(done.output).as_array();
      if (!resolve(run, index)) return;
      run.stages[index].outputs.resize(stage.output_wanted ? run.stages[index].items.size() : 0);
      run.plan.open(index, static_cast<std::int64_t>(run.stages[index].items.size()), stage.spec->parallel);
      return restore(run, index);
    }
  }
  if (stage.when) {
    const auto value = run.job->language().evaluate(*stage.when, run.scope);
    if (value.is_null() || (value.is_bool() && !value.as_bool())) return skip_stage(run, index);
  }
  if (!resolve(run, index)) return;
  if (stage.foreach) return open_list(run, index);
  run.stages[index].outputs.resize(stage.output_wanted ? 1 : 0);
  run.plan.open(index);
  restore(run, index);
}

void Runner::open_list(ActiveRun& run, std::size_t index) {
  const CompiledJob::Stage& stage = run.job->stages()[index];
  auto value = run.job->language().evaluate(*stage.foreach, run.scope);
  // An empty Lua table may have come as an object; it is the empty list here.
  if (value.is_object() && value.as_object().empty()) value = json::array();
  if (!value.is_array())
    throw base::refused("foreach needs a list, and got " + std::string(json::to_string(value.kind())),
                        stage.foreach->source().place);
  StageData& data = run.stages[index];
  data.items = std::move(value.as_array());
  data.outputs.resize(stage.output_wanted ? data.items.size() : 0);
  StepDone list{.run = run.id(),
                .path = run.job->list_path(index),
                .started_at = parts_.clock.now(),
                .finished_at = parts_.clock.now()};
  list.output = json::serialize(data.items);
  std::vector<Fact> facts;
  facts.emplace_back(std::move(list));
  // Nothing waits for this commit: the journal keeps the order, so no item is recorded before its list is.
  parts_.store.append(std::move(facts), [this](const Verdict& verdict) {
    if (verdict.kind == Verdict::fenced) fenced_();
  });
  run.plan.open(index, static_cast<std::int64_t>(data.items.size()), stage.spec->parallel);
  if (data.items.empty()) run.publish(index);
  note_progress(run);
}

void Runner::restore(ActiveRun& run, std::size_t index) {
  StageData& data = run.stages[index];
  for (auto& done : run.recorded) {
    const auto parsed = run.job->parse_path(done.path);
    if (!parsed || parsed->list || parsed->step.stage != index) continue;
    const std::int64_t item = parsed->step.item == StepRef::kSingle ? 0 : parsed->step.item;
    if (done.state != model::StepState::succeeded) data.not_succeeded[item] = done.state;
    if (done.failure) data.failures[item] = *done.failure;
    // The earlier life recorded what fails the run and did not come to record its end.
    if (done.state == model::StepState::failed && !run.failure && fails_run(run, parsed->step)) {
      run.failure = done.failure;
      run.failed_path = done.path;
    }
    if (static_cast<std::size_t>(item) < data.outputs.size())
      data.outputs[static_cast<std::size_t>(item)] = std::move(done.output);
    run.plan.finished(parsed->step, done.state);
  }
  if (run.plan.phase(index) == Plan::Phase::done) run.publish(index);
}

void Runner::skip_stage(ActiveRun& run, std::size_t index) {
  run.stages[index].skipped = true;
  ++in_flight_;
  auto task = std::make_unique<StepTask>();
  task->number = ++last_task_;
  task->step = run.plan.open_taken(index);
  task->path = run.job->stages()[index].spec->name;
  task->started_at = parts_.clock.now();
  StepTask& added = *(run.tasks[task->number] = std::move(task));
  record(run, added, model::StepState::skipped, {}, std::nullopt, {});
}

// Plugins are pinned: what `uses` meant at the submit it means to the end.
bool Runner::resolve(ActiveRun& run, std::size_t index) {
  const model::Stage& spec = *run.job->stages()[index].spec;
  StageData& data = run.stages[index];
  if (data.callable) return true;
  const auto* pin = run.pins.if_contains(spec.uses);
  try {
    data.callable = parts_.steps.resolve(pin ? std::string(pin->at("callable").as_string()) : spec.uses);
  } catch (const base::Error& error) {
    block(run, error.what(), spec.name);
    return false;
  }
  if (pin && !run.accepts_installed && pin->at("version").as_string() != data.callable->version) {
    block(run,
          "the run is pinned to plugin '" + data.callable->plugin + "' " + std::string(pin->at("version").as_string()) +
              ", installed is " + data.callable->version +
              "; install the pinned version, or let it go on with the installed one by `godwit retry " +
              model::text(run.id()) + "`",
          spec.name);
    data.callable = nullptr;
    return false;
  }
  return true;
}

void Runner::block(ActiveRun& run, std::string why, std::string path) {
  if (!run.blocked.empty()) return;
  run.blocked = why;
  run.blocked_path = path;
  std::vector<Fact> facts;
  facts.emplace_back(
      RunChanged{run.id(), RunChange::blocked, "godwitd", std::move(why), std::move(path), parts_.clock.now()});
  parts_.store.append(std::move(facts), [this, id = run.id()](const Verdict& verdict) {
    if (verdict.kind == Verdict::fenced) return fenced_();
    if (ActiveRun* active = find(id)) tell_state(*active);
  });
}

void Runner::unblock(ActiveRun& run) {
  run.blocked.clear();
  run.blocked_path.clear();
  run.accepts_installed = true;
  tell_state(run);
  std::vector<StepTask*> doubtful;
  for (const auto& [number, task] : run.tasks)
    if (task->phase == StepTask::Phase::doubtful) doubtful.push_back(task.get());
  for (StepTask* task : doubtful) {
    ++task->attempt;
    take_limits(run, *task);
  }
  advance(run);
}

void Runner::begin(ActiveRun& run, StepRef step) {
  run.touched = true;
  ++in_flight_;
  auto owned = std::make_unique<StepTask>();
  StepTask& task = *owned;
  task.number = ++last_task_;
  task.step = step;
  task.path = run.job->path(step);
  task.callable = run.stages[step.stage].callable;
  task.since = task.started_at = parts_.clock.now();
  run.tasks.emplace(task.number, std::move(owned));
  if (!make_input(run, task)) return;
  if (!run.attempts.empty()) {
    const auto earlier = run.attempts.find(task.path);
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

bool Runner::make_input(ActiveRun& run, StepTask& task) {
  const CompiledJob::Stage& stage = run.job->stages()[task.step.stage];
  try {
    json::value input;
    if (stage.with->is_constant()) {
      task.input = stage.with->constant_text();
      task.args_hash = stage.constant_hash;
      if (!task.callable->args_schema.empty()) input = base::parse_json(task.input);
    } else {
      expression::Scope scope(&run.scope);
      const json::value index = task.step.item;
      if (task.step.item != StepRef::kSingle) {
        scope.set("item", run.stages[task.step.stage].items[static_cast<std::size_t>(task.step.item)]);
        scope.set("index", index);
      }
      input = run.job->language().render(*stage.with, scope);
      task.input = json::serialize(input);
      task.args_hash = base::sha256_prefix(task.input);
    }
    if (!task.callable->args_schema.empty()) {
      auto& checker = input_schemas_[task.callable.get()];
      if (!checker.second)
        checker = {task.callable,
                   std::make_unique<jobfile::InputSchema>(task.callable->args_schema, task.callable->name)};
      checker.second->check(input);
    }
    return true;
  } catch (const base::Error& error) {
    on_failure(run, task, failure_of(error, "bad_input"));
    return false;
  }
}

void Runner::take_limits(ActiveRun& run, StepTask& task) {
  const auto& demand = run.job->stages()[task.step.stage].spec->limits;
  if (!demand.empty()) {
    task.phase = StepTask::Phase::limit;
    task.since = parts_.clock.now();
    task.ticket = parts_.limits.acquire(
        demand, model::text(run.id()) + "/" + task.path, [this, id = run.id(), number = task.number] {
          with_task(id, number, [this](ActiveRun& active, StepTask& granted) { mark_or_start(active, granted); });
        });
    if (parts_.limits.waiting(task.ticket)) return;
  }
  mark_or_start(run, task);
}

// A call that must not be repeated blindly is announced in the store first: if this process dies, the next one knows
// that it may have had its effect.
void Runner::mark_or_start(ActiveRun& run, StepTask& task) {
  if (run.job->stages()[task.step.stage].spec->retry_safe.value_or(task.callable->retry_safe)) return start(run, task);
  task.phase = StepTask::Phase::marking;
  std::vector<Fact> facts;
  facts.emplace_back(AttemptStarted{run.id(), task.path, task.attempt, parts_.clock.now()});
  parts_.store.append(std::move(facts), [this, id = run.id(), number = task.number](const Verdict& verdict) {
    if (verdict.kind == Verdict::fenced) return fenced_();
    with_task(id, number, [this](ActiveRun& active, StepTask& marked) { start(active, marked); });
  });
}

void Runner::start(ActiveRun& run, StepTask& task) {
  if (run.failure || run.cancelling) return on_outcome(run, task, StepCancelled{});
  if (draining_) return drop(run, task);
  const model::Stage& spec = *run.job->stages()[task.step.stage].spec;
  task.phase = StepTask::Phase::queued;
  task.since = parts_.clock.now();
  StepCall call{run.id(),     task.path,
                task.attempt, parts_.store.store_id() + ":" + model::text(run.id()) + ":" + task.path,
                task.input,   spec.timeout.value_or(base::Duration(0))};
  if (!task.listener) task.listener = std::make_unique<Listener>(*this, run, task);
  task.call = parts_.steps.start(task.callable, std::move(call), *task.listener);
}

void Runner::start_after_backoff(ActiveRun& run, StepTask& task) {
  task.phase = StepTask::Phase::backoff;
  task.since = parts_.clock.now();
  task.timer = parts_.clock.at(parts_.clock.tick() + (task.next_at - parts_.clock.now()),
                               [this, id = run.id(), number = task.number] {
                                 with_task(id, number, [this](ActiveRun& active, StepTask& waited) {
                                   waited.timer = 0;
                                   take_limits(active, waited);
                                 });
                               });
}

void Runner::on_outcome(ActiveRun& run, StepTask& task, StepOutcome outcome) {
  task.call = 0;
  parts_.limits.release(std::exchange(task.ticket, 0));
  if (auto* success = std::get_if<StepSucceeded>(&outcome)) return on_success(run, task, *success);
  if (run.failure || run.cancelling || std::holds_alternative<StepCancelled>(outcome)) {
    drop(run, task);
    return advance(run);
  }
  if (auto* failed = std::get_if<StepFailed>(&outcome)) return on_failure(run, task, std::move(failed->failure));
  on_loss(run, task, std::move(std::get<StepLost>(outcome)));
}

void Runner::on_success(ActiveRun& run, StepTask& task, StepSucceeded& success) {
  try {
    shape_output(run, task, success);
  } catch (const base::Error& error) {
    return on_failure(run, task, failure_of(error, "expression"));
  }
  record(run, task, model::StepState::succeeded, std::move(success.output), std::nullopt, std::move(success.emitted));
}

void Runner::shape_output(ActiveRun& run, StepTask& task, StepSucceeded& success) {
  const CompiledJob::Stage& stage = run.job->stages()[task.step.stage];
  if (!stage.output && !stage.emit_rows) return;
  expression::Scope scope(&run.scope);
  const json::value output = base::parse_json(success.output);
  const json::value index = task.step.item;
  scope.set("output", output);
  if (task.step.item != StepRef::kSingle) {
    scope.set("item", run.stages[task.step.stage].items[static_cast<std::size_t>(task.step.item)]);
    scope.set("index", index);
  }
  if (stage.emit_rows) {
    const json::value rows = run.job->language().render(*stage.emit_rows, scope);
    const std::string& topic = stage.spec->emit->to;
    if (const auto* list = rows.if_array()) {
      for (const auto& row : *list) success.emitted.push_back({topic, json::serialize(row)});
    } else if (!rows.is_null()) {
      success.emitted.push_back({topic, json::serialize(rows)});
    }
  }
  if (stage.output) success.output = json::serialize(run.job->language().render(*stage.output, scope));
}

void Runner::on_loss(ActiveRun& run, StepTask& task, StepLost lost) {
  model::Failure& failure = lost.failure;
  const model::Stage& spec = *run.job->stages()[task.step.stage].spec;
  if (!spec.retry_safe.value_or(task.callable->retry_safe)) {
    const std::string path = task.path;
    task.phase = StepTask::Phase::doubtful;
    task.since = parts_.clock.now();
    return block(
        run,
        "unknown outcome of " + path + ": its host process was lost in mid-call (" + failure.message +
            ") and the call is not safe to repeat; `godwit retry` makes it again, `godwit cancel` ends the run",
        path);
  }
  ++task.lost;
  task.blame += 1.0 / lost.together;
  if (task.blame < kBlameMax) return again(run, task, failure);
  failure.retryable = false;
  on_failure(run, task, std::move(failure));
}

void Runner::on_failure(ActiveRun& run, StepTask& task, model::Failure failure) {
  const model::Stage& spec = *run.job->stages()[task.step.stage].spec;
  parts_.limits.release(std::exchange(task.ticket, 0));
  if (failure.retryable && task.attempt < spec.retry.attempts + task.lost) return again(run, task, failure);
  if (fails_run(run, task.step)) {
    const std::string path = task.path;
    record(run, task, model::StepState::failed, {}, failure, {});
    return fail_run(run, std::move(failure), path);
  }
  record(run, task, model::StepState::failed, {}, std::move(failure), {});
}

void Runner::again(ActiveRun& run, StepTask& task, const model::Failure& failure) {
  const model::Stage& spec = *run.job->stages()[task.step.stage].spec;
  const double chance = std::uniform_real_distribution<double>(0, 1)(random_);
  task.last_failure = failure;
  task.next_at = parts_.clock.now() + backoff(spec.retry, task.attempt, chance, failure.retry_after);
  std::vector<Fact> facts;
  facts.emplace_back(AttemptFailed{run.id(), task.path, task.attempt, failure, parts_.clock.now(), task.next_at});
  parts_.store.append(std::move(facts), [this](const Verdict& verdict) {
    if (verdict.kind == Verdict::fenced) fenced_();
  });
  if (draining_) return drop(run, task);
  ++task.attempt;
  start_after_backoff(run, task);
}

void Runner::drop(ActiveRun& run, StepTask& task) {
  if (task.timer) parts_.clock.cancel(task.timer);
  parts_.limits.release(std::exchange(task.ticket, 0));
  if (task.phase != StepTask::Phase::recording) {
    run.plan.left(task.step);
    left_flight();
  }
  run.tasks.erase(task.number);
}

void Runner::record(ActiveRun& run, StepTask& task, model::StepState state, std::string output,
                    std::optional<model::Failure> failure, std::vector<Emitted> emitted) {
  StageData& stage = run.stages[task.step.stage];
  const std::int64_t item = task.step.item == StepRef::kSingle ? 0 : task.step.item;
  if (static_cast<std::size_t>(item) < stage.outputs.size()) stage.outputs[static_cast<std::size_t>(item)] = output;
  if (state != model::StepState::succeeded) stage.not_succeeded[item] = state;
  if (failure) stage.failures[item] = *failure;
  task.phase = StepTask::Phase::recording;
  run.plan.left(task.step);
  left_flight();
  std::vector<Fact> facts;
  facts.emplace_back(StepDone{run.id(), task.path, state, task.attempt, task.args_hash, std::move(output),
                              std::move(failure), task.started_at, parts_.clock.now(), std::move(emitted)});
  // The last step takes the run's end with it: one commit less for every run.
  const bool with_end = run.plan.is_last(task.step) && run.tasks.size() == 1 && !run.failure && !run.cancelling &&
                        state != model::StepState::failed;
  if (with_end) {
    run.publish(task.step.stage);
    run.ending = true;
    facts.emplace_back(make_end(run));
  }
  const auto keep = runs_.at(run.id());
  std::optional<RunDone> end_fact;
  if (with_end) end_fact = std::get<RunDone>(facts.back());
  parts_.store.append(std::move(facts), [this, keep, number = task.number, state,
                                         end_fact = std::move(end_fact)](const Verdict& verdict) {
    on_recorded(keep, number, state, end_fact.has_value(), verdict);
    if (end_fact && verdict.kind == Verdict::committed) end(*keep, *end_fact);
  });
}

void Runner::on_recorded(const std::shared_ptr<ActiveRun>& run, std::uint64_t number, model::StepState state,
                         bool with_end, const Verdict& verdict) {
  if (verdict.kind == Verdict::fenced) return fenced_();
  StepTask& task = *run->tasks.at(number);
  if (verdict.kind == Verdict::refused) {
    // The store cannot hold what the step gave. What it can always hold is the reason, in words of ours.
    run->ending = run->ending && !with_end;
    model::Failure failure{"store_refused", "the output cannot be stored: " + verdict.message, false, {}};
    StepDone done{run->id(), task.path, model::StepState::failed, task.attempt,       task.args_hash,
                  {},        failure,   task.started_at,          parts_.clock.now(), {}};
    std::vector<Fact> facts;
    facts.emplace_back(std::move(done));
    parts_.store.append(std::move(facts), [this, run, number](const Verdict& second) {
      on_recorded(run, number, model::StepState::failed, false, second.kind == Verdict::refused ? Verdict{} : second);
    });
    return fail_run(*run, std::move(failure), task.path);
  }
  ++steps_done_;
  run->plan.finished(task.step, state);
  const json::object event = step_event(*run, task, state);
  const std::size_t stage = task.step.stage;
  run->tasks.erase(number);
  if (with_end) {
    if (!event.empty()) parts_.followers.tell(run->id(), event);
    return;
  }
  if (run->plan.phase(stage) == Plan::Phase::done && !run->failure) {
    try {
      run->publish(stage);
    } catch (const base::Error& error) {
      return fail_run(*run, failure_of(error, "internal"), run->job->stages()[stage].spec->name);
    }
  }
  note_progress(*run);
  advance(*run);
  // Who watches can wait for what works.
  if (!event.empty()) parts_.followers.tell(run->id(), event);
}

void Runner::fail_run(ActiveRun& run, model::Failure failure, std::string path) {
  if (run.failure || run.ending) return;
  run.failure = std::move(failure);
  run.failed_path = std::move(path);
  wind_up(run);
}

void Runner::wind_up(ActiveRun& run) {
  std::vector<std::uint64_t> idle;
  for (const auto& [number, task] : run.tasks) {
    if (is_idle(*task)) idle.push_back(number);
    if (task->call) parts_.steps.cancel(task->call);
  }
  for (const std::uint64_t number : idle) drop(run, *run.tasks.at(number));
  if (run.tasks.empty() && !run.ending) finish(run);
}

RunDone Runner::make_end(ActiveRun& run) {
  RunDone done{.run = run.id(), .at = parts_.clock.now()};
  if (run.cancelling && !run.failure) {
    done.state = model::RunState::cancelled;
    done.failure = model::Failure{"cancelled", "cancelled by " + run.cancelled_by, false, {}};
    return done;
  }
  if (!run.failure) {
    try {
      if (const auto* result = run.job->result()) {
        done.result = result->is_constant() ? result->constant_text()
                                            : json::serialize(run.job->language().render(*result, run.scope));
      } else {
        done.result = json::serialize(run.stages.back().value);
      }
      return done;
    } catch (const base::Error& error) {
      run.failure = failure_of(error, "expression");
      run.failed_path = "result";
    }
  }
  done.state = model::RunState::failed;
  done.failure = run.failure;
  done.failed_path = run.failed_path;
  return done;
}

void Runner::finish(ActiveRun& run) {
  run.ending = true;
  std::vector<Fact> facts;
  const RunDone done = make_end(run);
  facts.emplace_back(done);
  parts_.store.append(std::move(facts), [this, keep = runs_.at(run.id()), done](const Verdict& verdict) {
    if (verdict.kind == Verdict::fenced) return fenced_();
    if (verdict.kind == Verdict::committed) return end(*keep, done);
    keep->ending = false;
    keep->failure = model::Failure{"store_refused", "the result cannot be stored: " + verdict.message, false, {}};
    finish(*keep);
  });
}

void Runner::end(ActiveRun& run, const RunDone& done) {
  if (run.noted) parts_.store.append_relaxed(ProgressNoted{run.id(), json::serialize(progress_of(run))});
  if (run.timeout_timer) parts_.clock.cancel(run.timeout_timer);
  dirty_.erase(run.id());
  if (parts_.followers.watched(run.id())) {
    json::object event{{"event", "state"}, {"run", model::number(run.id())}, {"state", model::name(done.state)}};
    const auto counts = run.done();
    event["done"] = counts.done;
    event["total"] = counts.total;
    if (done.failure)
      event["error"] =
          json::object{{"code", done.failure->code}, {"message", done.failure->message}, {"path", done.failed_path}};
    if (!run.fields.empty()) event["fields"] = run.fields;
    parts_.followers.tell(run.id(), event);
  }
  const auto keep = runs_.at(run.id());
  runs_.erase(run.id());
  ended_(*keep);
}

void Runner::left_flight() {
  --in_flight_;
  if (draining_ && in_flight_ == 0 && drained_) parts_.clock.post(std::exchange(drained_, nullptr));
  if (starved_.empty() || draining_) return;
  const model::RunId next = starved_.front();
  starved_.pop_front();
  parts_.clock.post([this, next] {
    if (ActiveRun* run = find(next)) {
      run->starved = false;
      advance(*run);
    }
  });
}

void Runner::drain(std::function<void()> drained) {
  draining_ = true;
  drained_ = std::move(drained);
  // What waits for a limit or a backoff is not being executed; it is left for the next life as it is.
  for (const auto& [id, run] : std::unordered_map(runs_)) {
    std::vector<std::uint64_t> idle;
    for (const auto& [number, task] : run->tasks)
      if (is_idle(*task)) idle.push_back(number);
    for (const std::uint64_t number : idle) drop(*run, *run->tasks.at(number));
  }
  if (in_flight_ == 0 && drained_) parts_.clock.post(std::exchange(drained_, nullptr));
}

void Runner::note_progress(ActiveRun& run) {
  if (run.ending) return;
  dirty_.insert(run.id());
  if (!progress_timer_)
    progress_timer_ = parts_.clock.at(parts_.clock.tick() + kProgressInterval, [this] { flush_progress(); });
  tell_progress(run);
}

void Runner::flush_progress() {
  progress_timer_ = 0;
  for (const model::RunId id : std::exchange(dirty_, {}))
    if (ActiveRun* run = find(id)) {
      run->noted = true;
      parts_.store.append_relaxed(ProgressNoted{id, json::serialize(progress_of(*run))});
    }
}

void Runner::tell_progress(ActiveRun& run) {
  if (!parts_.followers.watched(run.id()) || run.telling) return;
  run.telling = true;
  parts_.clock.at(parts_.clock.tick() + std::chrono::milliseconds(100), [this, id = run.id()] {
    ActiveRun* active = find(id);
    if (!active) return;
    active->telling = false;
    json::object event = progress_of(*active);
    event["event"] = "progress";
    event["run"] = model::number(id);
    parts_.followers.tell(id, event);
  });
}

// What followers hear of a step that was recorded; empty when nobody follows, and for most items.
json::object Runner::step_event(const ActiveRun& run, const StepTask& task, model::StepState state) const {
  if (!parts_.followers.watched(run.id())) return {};
  // One event for each item of a long list would drown its reader; the counts say it better.
  if (task.step.item != StepRef::kSingle && state == model::StepState::succeeded) return {};
  json::object event{{"event", "step"},
                     {"run", model::number(run.id())},
                     {"path", task.path},
                     {"state", model::name(state)},
                     {"attempt", task.attempt}};
  const auto& failures = run.stages[task.step.stage].failures;
  const auto why = failures.find(task.step.item == StepRef::kSingle ? 0 : task.step.item);
  if (why != failures.end())
    event["error"] = json::object{{"code", why->second.code}, {"message", why->second.message}};
  return event;
}

void Runner::tell_state(ActiveRun& run) {
  if (!parts_.followers.watched(run.id())) return;
  json::object event{{"event", "state"}, {"run", model::number(run.id())}, {"state", model::name(run.state())}};
  if (!run.blocked.empty()) event["detail"] = run.blocked;
  parts_.followers.tell(run.id(), event);
}

}  // namespace godwit::engine
