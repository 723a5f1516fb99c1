#include "engine/waits.hpp"

#include <algorithm>

#include "base/json_text.hpp"
#include "engine/dispatcher.hpp"
#include "engine/runner.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

// See Sleepers: a tick does not reach as far as an instant.
constexpr base::Duration kFarthest = std::chrono::hours(24);

// A reminder is told so late at most; how many were told is not recorded.
constexpr base::Duration kReminderLate = std::chrono::minutes(1);

std::string since_text(const StepTask& task) {
  return "nothing came from " + base::format_instant(task.wait->at) + " to " + base::format_instant(*task.wait->until);
}

}  // namespace

void Waits::begin(ActiveRun& run, StepTask& task) {
  dispatcher_.leave_flight(task);
  const auto earlier = run.waits.find(task.path());
  if (earlier == run.waits.end()) return open(run, task);
  UnfinishedRun::Wait wait = std::move(earlier->second);
  run.waits.erase(earlier);
  task.phase = StepTask::Phase::waiting;
  task.since = task.started_at = wait.opened.at;
  task.wait = std::make_unique<WaitOpened>(std::move(wait.opened));
  if (wait.child_end) return end_with_child(run, task, *wait.child_end);
  set_reminder(task);
  if (settle(run, task)) return;
  if (task.wait->kind == WaitKind::lock) ask_for_lock(run, task);
  // The run may have been woken for a reminder.
  const auto* approval = std::get_if<ApprovalWork>(&task.request.work);
  const auto missed = clock_.now() - task.wait->at;
  if (approval && approval->remind && missed >= *approval->remind && missed % *approval->remind < kReminderLate)
    remind(run, task);
  arm(run, task);
}

void Waits::open(ActiveRun& run, StepTask& task) {
  const auto now = clock_.now();
  task.wait = std::make_unique<WaitOpened>(WaitOpened{.run = run.id(), .path = task.path(), .at = now});
  WaitOpened& wait = *task.wait;
  const auto until = [&](const std::optional<base::Duration>& limit) {
    if (limit) wait.until = now + *limit;
  };
  if (const auto* sleep = std::get_if<SleepWork>(&task.request.work)) {
    wait.kind = WaitKind::sleep;
    wait.until = sleep->until;
  } else if (const auto* signal = std::get_if<SignalWork>(&task.request.work)) {
    wait.kind = WaitKind::signal;
    wait.name = signal->name;
    until(signal->timeout);
  } else if (const auto* approval = std::get_if<ApprovalWork>(&task.request.work)) {
    wait.kind = WaitKind::approval;
    wait.name = approval_name(task.path());
    wait.detail = base::serialize(json::object{{"text", approval->text}, {"who", json::value_from(approval->who)}});
    until(approval->within);
  } else if (const auto* lock = std::get_if<LockWork>(&task.request.work)) {
    wait.kind = WaitKind::lock;
    until(lock->timeout);
    task.phase = StepTask::Phase::opening;
    return ask_for_lock(run, task);
  } else {
    wait.kind = WaitKind::child;
    until(std::get<ChildWork>(task.request.work).timeout);
    return open_child(run, task);
  }
  task.phase = StepTask::Phase::waiting;
  task.since = now;
  set_reminder(task);
  // What is there already needs no waiting.
  if (settle(run, task)) return;
  store_.append({wait}, [this](const Verdict& verdict) {
    if (verdict.kind == Verdict::fenced) runner_.fenced();
  });
  if (wait.kind == WaitKind::approval) remind(run, task);
  arm(run, task);
}

void Waits::open_child(ActiveRun& run, StepTask& task) {
  task.phase = StepTask::Phase::opening;
  const auto prepared = [this, id = run.id(), number = task.number](Result<ChildRun> child) {
    ActiveRun* active = runner_.find(id);
    if (!active || !active->tasks.contains(number)) return;
    StepTask& opening = *active->tasks.at(number);
    if (opening.unwanted) return fail(*active, opening, "cancelled", "nobody waits for the child any more");
    if (!child) return fail(*active, opening, "child_refused", child.error().what());
    opening.wait->child = child->submitted.run;
    std::vector<Fact> facts = std::move(child->facts);
    facts.emplace_back(*opening.wait);
    store_.append(std::move(facts), [this, id, number, child = *child](const Verdict& verdict) {
      on_child_stored(id, number, child, verdict);
    });
  };
  children_.prepare(run, task, std::get<ChildWork>(task.request.work).job, prepared);
}

void Waits::on_child_stored(model::RunId id, std::uint64_t number, ChildRun child, const Verdict& verdict) {
  if (verdict.kind == Verdict::fenced) return runner_.fenced();
  const auto keep = runner_.runs().find(id);
  if (keep == runner_.runs().end() || !keep->second->tasks.contains(number)) return;
  ActiveRun& run = *keep->second;
  StepTask& task = *run.tasks.at(number);
  if (verdict.kind == Verdict::duplicate)
    return fail(run, task, "child_refused",
                "run " + model::text(*verdict.existing) + " of job '" + child.submitted.job +
                    "' is for the same and has not ended");
  if (verdict.kind != Verdict::committed) return fail(run, task, "child_refused", verdict.message);
  task.phase = StepTask::Phase::waiting;
  task.since = clock_.now();
  arm(run, task);
  children_.admit(std::move(child));
  if (task.unwanted) dispatcher_.cancel(run, task.path());
  // The run may have begun to end meanwhile; then its child ends with it.
  runner_.advance(run);
}

void Waits::ask_for_locks(ActiveRun& run) {
  std::vector<StepTask*> waiting;
  for (const auto& [number, task] : run.tasks)
    if (task->phase == StepTask::Phase::waiting && task->wait->kind == WaitKind::lock) waiting.push_back(task.get());
  for (StepTask* task : waiting) ask_for_lock(run, *task);
}

void Waits::ask_for_lock(ActiveRun& run, StepTask& task) {
  if (std::exchange(task.asking, true)) return;
  const auto& work = std::get<LockWork>(task.request.work);
  const LockRow wanted{work.name, run.id(), task.path(), work.permits, false};
  locks_.take(wanted, [this, id = run.id(), number = task.number, wanted](Result<Locks::Taken> taken) {
    on_lock(id, number, wanted, std::move(taken));
  });
}

void Waits::on_lock(model::RunId id, std::uint64_t number, const LockRow& wanted, Result<Locks::Taken> taken) {
  ActiveRun* active = runner_.find(id);
  if (!taken) {
    // Nothing more can be stored; the next life goes on.
    if (taken.error().kind() == base::ErrorKind::unavailable || !active || !active->tasks.contains(number)) return;
    return fail(*active, *active->tasks.at(number), "lock_refused", taken.error().what());
  }
  // A run that only waits may have left memory meanwhile, and will ask again; what it has by then it has.
  if (!active) return;
  if (active->ending) return;
  if (!active->tasks.contains(number)) return locks_.let_go(id, wanted.path, wanted.name);
  StepTask& task = *active->tasks.at(number);
  task.asking = false;
  if (task.unwanted) {
    locks_.let_go(id, wanted.path, wanted.name);
    return fail(*active, task, "cancelled", "nobody waits for the lock any more");
  }
  if (task.phase != StepTask::Phase::opening && task.phase != StepTask::Phase::waiting) return;
  if (taken->granted) return succeed(*active, task, json::object{{"lock", wanted.name}});
  task.wait->detail = base::serialize(json::object{{"lock", wanted.name}, {"before", text_of(taken->before)}});
  if (task.phase == StepTask::Phase::waiting) return;
  task.phase = StepTask::Phase::waiting;
  task.since = clock_.now();
  store_.append({*task.wait}, [this](const Verdict& verdict) {
    if (verdict.kind == Verdict::fenced) runner_.fenced();
  });
  arm(*active, task);
  runner_.advance(*active);
}

void Waits::give_up(const ActiveRun& run, const StepTask& task) {
  if (const auto* lock = std::get_if<LockWork>(&task.request.work)) locks_.let_go(run.id(), task.path(), lock->name);
  if (task.wait->child) cancel_child(run, *task.wait->child);
}

void Waits::cancel_child(const ActiveRun& run, model::RunId child) {
  tell_child_after(run, child, {cancellation(run.id(), child)});
}

// Who looks at a child that waits finds its cancellation in the store: it is told once `facts`, and what was appended
// before them, are there.
void Waits::tell_child_after(const ActiveRun& run, model::RunId child, std::vector<Fact> facts) {
  store_.append(std::move(facts), [this, child, parent = run.id()](const Verdict& verdict) {
    verdict.kind == Verdict::fenced ? runner_.fenced() : children_.cancel(child, parent);
  });
}

RunChanged Waits::cancellation(model::RunId run, model::RunId child) const {
  return {.run = child,
          .change = RunChange::cancel_requested,
          .who = "run " + model::text(run),
          .at = clock_.now(),
          .elsewhere = !runner_.is_here(child)};
}

void Waits::signal(ActiveRun& run, Signal signal) {
  const auto place = std::lower_bound(run.signals.begin(), run.signals.end(), signal.number,
                                      [](const Signal& known, std::int64_t number) { return known.number < number; });
  if (place != run.signals.end() && place->number == signal.number) return;
  const std::string name = signal.name;
  run.signals.insert(place, std::move(signal));
  if (run.failure || run.cancelling) return;
  StepTask* first = nullptr;
  for (const auto& [number, task] : run.tasks)
    if (task->phase == StepTask::Phase::waiting && task->wait->name == name && (!first || number < first->number))
      first = task.get();
  if (first) settle(run, *first);
}

void Waits::child_ended(ActiveRun& run, const RunDone& done) {
  for (const auto& [number, task] : run.tasks)
    if (task->phase == StepTask::Phase::waiting && task->wait->child == done.run)
      return end_with_child(run, *task, done);
  // Its driver may not have come to the step again.
  for (auto& [path, wait] : run.waits)
    if (wait.opened.child == done.run) wait.child_end = done;
}

void Waits::end_with_child(ActiveRun& run, StepTask& task, const RunDone& done) {
  if (done.state == model::RunState::succeeded) {
    return dispatcher_.on_outcome(run, task, StepSucceeded{done.result, {}});
  }
  const std::string about = "run " + model::text(done.run) + " " + std::string(model::name(done.state));
  if (!done.failure) return fail(run, task, std::string(model::name(done.state)), about);
  fail(run, task, done.failure->code,
       about + (done.failed_path.empty() ? "" : " at " + done.failed_path) + ": " + done.failure->message);
}

bool Waits::is_due(const StepTask& task) const {
  return task.wait->until && *task.wait->until <= clock_.now();
}

bool Waits::settle(ActiveRun& run, StepTask& task) {
  if (const auto* signal = std::get_if<SignalWork>(&task.request.work)) return settle_signal(run, task, *signal);
  if (const auto* approval = std::get_if<ApprovalWork>(&task.request.work))
    return settle_approval(run, task, *approval);
  if (!is_due(task)) return false;
  if (const auto* lock = std::get_if<LockWork>(&task.request.work)) {
    task.more.emplace_back(LockReleased{run.id(), task.path(), lock->name});
    fail(run, task, "timeout", "the lock '" + lock->name + "' was not free: " + since_text(task));
    return true;
  }
  if (task.wait->kind == WaitKind::sleep) {
    succeed(run, task, json::object{{"until", base::format_instant(*task.wait->until)}});
    return true;
  }
  give_up_child(run, task, *task.wait->child);
  return true;
}

// The child's cancellation is stored with the step. Who looks at a child that waits finds it there.
void Waits::give_up_child(ActiveRun& run, StepTask& task, model::RunId child) {
  task.more.emplace_back(cancellation(run.id(), child));
  fail(run, task, "timeout", "run " + model::text(child) + " did not end in time: " + since_text(task));
  tell_child_after(run, child, {});
}

namespace {

// What was decided; nothing when the signal is no decision, as one may be that was sent by SQL of an earlier version.
std::optional<json::object> decision_in(const Signal& signal) {
  if (!base::is_json(signal.payload)) return std::nullopt;
  const json::value value = base::parse_json(signal.payload);
  const auto* decision = value.if_object();
  const auto* approved = decision ? decision->if_contains("approved") : nullptr;
  const auto* comment = decision ? decision->if_contains("comment") : nullptr;
  if (!approved || !approved->is_bool() || !comment || !comment->is_string()) return std::nullopt;
  return *decision;
}

}  // namespace

bool Waits::settle_signal(ActiveRun& run, StepTask& task, const SignalWork& work) {
  if (const auto signal = take_signal(run, task, task.wait->name)) {
    if (std::string why; !base::is_json(signal->payload, &why)) {
      fail(run, task, "bad_input", "the payload of signal '" + work.name + "' cannot be used: " + why);
      return true;
    }
    succeed(run, task,
            json::object{{"payload", base::parse_json(signal->payload)},
                         {"by", signal->who},
                         {"at", base::format_instant(signal->at)}});
    return true;
  }
  if (!is_due(task)) return false;
  if (work.timeout_fails)
    fail(run, task, "timeout", "no signal '" + work.name + "': " + since_text(task));
  else
    succeed(run, task, nullptr);
  return true;
}

bool Waits::settle_approval(ActiveRun& run, StepTask& task, const ApprovalWork& work) {
  while (const auto signal = take_signal(run, task, task.wait->name)) {
    auto decision = decision_in(*signal);
    if (!decision) continue;
    json::object output = std::move(*decision);
    output["by"] = signal->who;
    output["at"] = base::format_instant(signal->at);
    if (output.at("approved").as_bool() || !work.rejection_fails) {
      succeed(run, task, std::move(output));
      return true;
    }
    const std::string comment(output.at("comment").as_string());
    fail(run, task, "rejected", "rejected by " + signal->who + (comment.empty() ? "" : ": " + comment));
    return true;
  }
  if (!is_due(task)) return false;
  if (work.rejection_fails)
    fail(run, task, "timeout", "nobody decided: " + since_text(task));
  else
    succeed(run, task, json::object{{"approved", false}, {"comment", ""}, {"by", nullptr}, {"at", nullptr}});
  return true;
}

std::optional<Signal> Waits::take_signal(ActiveRun& run, StepTask& task, const std::string& name) {
  const auto found = std::find_if(run.signals.begin(), run.signals.end(),
                                  [&](const Signal& candidate) { return candidate.name == name; });
  if (found == run.signals.end()) return std::nullopt;
  Signal signal = std::move(*found);
  run.signals.erase(found);
  task.more.emplace_back(SignalTaken{run.id(), signal.number});
  return signal;
}

void Waits::succeed(ActiveRun& run, StepTask& task, json::value output) {
  dispatcher_.on_outcome(run, task, StepSucceeded{base::serialize(output), {}});
}

void Waits::fail(ActiveRun& run, StepTask& task, std::string code, std::string message) {
  dispatcher_.on_outcome(run, task, StepFailed{{std::move(code), std::move(message), false, {}}});
}

void Waits::arm(ActiveRun& run, StepTask& task) {
  const auto at = task.wakes_at();
  if (task.timer) clock_.cancel(std::exchange(task.timer, 0));
  if (!at) return;
  task.timer = clock_.at(clock_.tick() + std::clamp(*at - clock_.now(), base::Duration(0), kFarthest),
                         [this, id = run.id(), number = task.number] {
                           ActiveRun* active = runner_.find(id);
                           if (!active || !active->tasks.contains(number)) return;
                           StepTask& waited = *active->tasks.at(number);
                           waited.timer = 0;
                           on_timer(*active, waited);
                         });
}

void Waits::on_timer(ActiveRun& run, StepTask& task) {
  if (task.phase != StepTask::Phase::waiting || settle(run, task)) return;
  if (task.remind_at && *task.remind_at <= clock_.now()) remind(run, task);
  arm(run, task);
  runner_.consider_rest(run);
}

// The reminders stand at whole multiples from the beginning, so that a later life keeps to them.
void Waits::set_reminder(StepTask& task) const {
  const auto* approval = std::get_if<ApprovalWork>(&task.request.work);
  if (!approval || !approval->remind) return;
  const auto passed = (clock_.now() - task.wait->at) / *approval->remind;
  task.remind_at = task.wait->at + (passed + 1) * *approval->remind;
}

void Waits::remind(ActiveRun& run, StepTask& task) {
  const auto& approval = std::get<ApprovalWork>(task.request.work);
  const std::string text = (approval.text.empty() ? "waits for approval" : approval.text + ": waits for approval") +
                           "; godwit approve " + model::text(run.id()) + " " + task.path() + " [--reject]";
  store_.append_relaxed(Logged{run.id(), task.path(), LogLevel::warning, {}, text, {}, clock_.now()});
  if (followers_.watched(run.id(), Interest::everything))
    followers_.tell(run.id(), Interest::everything, json::object{{"event", "approval"},
                                           {"run", model::number(run.id())},
                                           {"path", task.path()},
                                           {"text", text},
                                           {"at", base::format_instant(clock_.now())}});
  set_reminder(task);
}

}  // namespace godwit::engine
