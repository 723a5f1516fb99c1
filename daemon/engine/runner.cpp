#include "engine/runner.hpp"

#include <algorithm>

#include "base/json_text.hpp"
#include "base/log.hpp"
#include "engine/progress.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

constexpr auto kProgressInterval = std::chrono::milliseconds(500);  // what is noted is between one and two of them old
// A run that only waits stays in memory for a while, in case it does not wait long: coming back costs a query.
constexpr auto kLinger = std::chrono::seconds(1);
constexpr auto kWorthResting = std::chrono::seconds(3);

// What earlier lives of a script waited for, and this one does not ask for again: the branch that did was given up.
void give_up_waits(ActiveRun& run, Locks& locks, Waits& waits) {
  std::erase_if(run.waits, [&](const auto& entry) {
    const auto& [path, wait] = entry;
    const auto asks = [&path = path](const auto& task) { return task.second->path() == path; };
    if (std::any_of(run.tasks.begin(), run.tasks.end(), asks)) return false;
    if (wait.opened.child && !wait.child_end) waits.cancel_child(run, *wait.opened.child);
    if (wait.opened.kind == WaitKind::lock) locks.let_go(run.id(), path, {});
    return true;
  });
}

}  // namespace

// What the driver of one run may ask for. Belongs to its run.
class Runner::Control : public RunControl {
 public:
  Control(Runner& runner, ActiveRun& run) : runner_(runner), run_(run) {}

  const Submitted& record() const override { return run_.record; }
  void wake() override { runner_.advance(run_); }
  void fail(model::Failure failure, std::string path) override {
    runner_.fail(run_, std::move(failure), std::move(path));
  }
  void block(std::string why, std::string path, json::object sides) override {
    runner_.block(run_, std::move(why), std::move(path), std::move(sides));
  }
  std::shared_ptr<const Callable> resolve(const std::string& uses, const std::string& path) override {
    return runner_.resolve(run_, uses, path);
  }
  void append(std::vector<Fact> facts, std::function<void(const Verdict&)> stored) override {
    runner_.parts_.store.append(std::move(facts), [this, &runner = runner_, id = run_.id(),
                                                   stored = std::move(stored)](const Verdict& verdict) {
      if (verdict.kind == Verdict::fenced) return runner.fenced();
      const ActiveRun* run = runner.find(id);
      if (stored && run && run->control.get() == this) stored(verdict);
    });
  }
  void progressed() override { runner_.note_progress(run_); }
  void show_fields(json::object fields) override {
    runner_.dispatcher_.show_fields(run_, {}, std::move(fields));
    runner_.note_progress(run_);
  }
  void log(LogLevel level, std::string text, std::string fields) override {
    runner_.dispatcher_.log(run_, {}, level, std::move(text), std::move(fields), {});
  }
  void cancel(const std::string& path) override { runner_.dispatcher_.cancel(run_, path); }
  void check_limit(const std::string& limit, int count) const override {
    runner_.parts_.limits.check_step(limit, count, run_.job->job().limits);
  }
  void release_lock(const std::string& path, const std::string& name) override {
    runner_.parts_.locks.let_go(run_.id(), path, name);
  }
  base::Instant now() const override { return runner_.parts_.clock.now(); }
  base::Instant next_end() override { return run_.next_end(now()); }

 private:
  Runner& runner_;
  ActiveRun& run_;
};

Runner::Runner(Parts parts, const Settings& settings, Hooks hooks)
    : parts_(parts),
      dispatcher_(parts, *this, settings.in_flight_max, settings.seed),
      runs_max_(settings.runs_max),
      hooks_(std::move(hooks)) {
  waits().set_children(hooks_.children);
}

Runner::~Runner() = default;

ActiveRun* Runner::find(model::RunId run) const {
  const auto found = runs_.find(run);
  return found == runs_.end() ? nullptr : found->second.get();
}

void Runner::take_up(std::shared_ptr<ActiveRun> run) {
  ActiveRun& active = *run;
  runs_[active.id()] = std::move(run);
  active.control = std::make_unique<Control>(*this, active);
  arm_timeout(active);
  if (active.concurrency) {
    active.waits_its_turn = true;
    ask_for_turn(active);
  }
  active.driver->start(*active.control, std::move(active.recorded));
  if (active.closing) active.driver->begin_closing(*active.closing);
  advance(active);
}

// A turn under a key is a lock that stands in the store, so that a run which waits for it may leave memory, and any
// number of nodes agree.
void Runner::ask_for_turn(ActiveRun& run) {
  if (std::exchange(run.asks_its_turn, true)) return;
  const LockRow wanted{run.concurrency->lock, run.id(), {}, run.concurrency->limit, false};
  parts_.locks.take(wanted, [this, id = run.id()](Result<Locks::Taken> taken) {
    ActiveRun* active = find(id);
    if (!active || active->ending) return;
    active->asks_its_turn = false;
    if (taken) return on_turn(*active, std::move(*taken));
    if (taken.error().kind() == base::ErrorKind::unavailable) return;
    fail(*active, {"concurrency", taken.error().what(), false, {}}, {});
  });
}

void Runner::on_turn(ActiveRun& run, Locks::Taken taken) {
  run.before = std::move(taken.before);
  if (taken.granted) {
    run.waits_its_turn = false;
    tell_state(run);
    return advance(run);
  }
  using Then = model::Concurrency::Then;
  // One that is at its end already, or was asked to end, is no longer judged.
  if (run.concurrency->then == Then::skip && !run.closing && !run.cancelling) return skip(run);
  if (run.concurrency->then == Then::cancel_older)
    for (const auto& row : run.before)
      if (row.run < run.id()) hooks_.cancel(row.run, run);
  tell_state(run);
  advance(run);
}

// It ends as if it had been cancelled, with the reason as its record; nothing of it was begun.
void Runner::skip(ActiveRun& run) {
  run.closing =
      Outcome{model::RunState::cancelled,
              {},
              model::Failure{"skipped",
                             "skipped: " + text_of(run.before) + " of job '" + run.record.job + "'" +
                                 (run.concurrency->key.empty() ? "" : " with the key '" + run.concurrency->key + "'") +
                                 " has not ended",
                             false,
                             {}},
              {}};
  finish(run);
}

void Runner::ask_for_locks(ActiveRun& run) {
  if (run.waits_its_turn) ask_for_turn(run);
  waits().ask_for_locks(run);
}

void Runner::arm_timeout(ActiveRun& run) {
  const auto deadline = run.deadline();
  if (!deadline) return;
  const auto left = *deadline - parts_.clock.now();
  run.timeout_timer = parts_.clock.at(parts_.clock.tick() + left, [this, id = run.id()] {
    ActiveRun* active = find(id);
    if (!active || active->ending || active->failure || active->closing) return;
    active->timeout_timer = 0;
    fail(*active,
         {"timeout",
          "the run did not end within its timeout of " + base::format_duration(*active->job->job().timeout),
          false,
          {}},
         {});
  });
}

void Runner::advance(ActiveRun& run) {
  if (run.ending || run.advancing || goes_elsewhere(run)) return;
  if (run.may_go_on() && !dispatcher_.draining()) ask_driver(run);
  if (run.failure || run.cancelling) return wind_up(run);
  if (run.job->job().script && run.may_go_on() && !run.waits.empty() && run.driver->idle())
    give_up_waits(run, parts_.locks, waits());
  if (run.may_go_on() && run.tasks.empty() && run.driver->done() && !dispatcher_.draining()) return finish(run);
  tell_progress(run);
  consider_rest(run);
}

void Runner::ask_driver(ActiveRun& run) {
  run.advancing = true;
  try {
    while (run.may_go_on() && dispatcher_.has_room_for(run)) {
      auto request = run.driver->next();
      if (!request) break;
      dispatcher_.begin(run, std::move(*request));
    }
  } catch (const base::Error& error) {
    on_defect(run.id(), error);
  }
  run.advancing = false;
}

// What nobody foresaw is the affair of one run: the others go on, and a person has to look at this one.
void Runner::on_defect(model::RunId id, const base::Error& error) {
  base::log::error("run {} cannot go on: {}", model::text(id), error.what());
  if (ActiveRun* run = find(id)) block(*run, std::string("godwitd cannot go on with it: ") + error.what(), {});
}

namespace {

struct Pin {
  std::string callable;
  std::string version;  // empty when any will do
};

// What `uses` meant at the submit: what is noted of it alone, or, for a script, of all that was installed.
Pin pin_of(const json::object& pins, const std::string& uses, const StepRunner& steps) {
  if (const auto* pin = pins.if_contains(uses))
    return {std::string(pin->at("callable").as_string()), std::string(pin->at("version").as_string())};
  Pin pin{uses, {}};
  const auto* all = pins.if_contains("*");
  if (!all) return pin;
  const auto slash = uses.find('/');
  const auto dot = slash == std::string::npos ? slash : uses.find('.', slash);
  if (dot != std::string::npos)
    if (const auto* unit = all->at("providers").as_object().if_contains(uses.substr(0, dot)))
      pin.callable = std::string(unit->as_string()) + uses.substr(dot);
  if (const auto* version = all->at("versions").as_object().if_contains(steps.resolve(pin.callable)->plugin))
    pin.version = version->as_string();
  return pin;
}

}  // namespace

// Plugins are pinned: what `uses` meant at the submit it means to the end.
std::shared_ptr<const Callable> Runner::resolve(ActiveRun& run, const std::string& uses, const std::string& path) {
  std::shared_ptr<const Callable> callable;
  Pin pin;
  try {
    pin = pin_of(run.pins, uses, parts_.steps);
    if (run.accepts_installed) pin.version.clear();
    callable = pin.version.empty() ? parts_.steps.resolve(pin.callable)
                                   : parts_.steps.resolve_version(pin.callable, pin.version);
  } catch (const base::Error& error) {
    block(run, error.what(), path);
    return nullptr;
  }
  if (pin.version.empty() || pin.version == callable->version) return callable;
  block(run,
        "the run is pinned to plugin '" + callable->plugin + "' " + pin.version + ", installed is " +
            callable->version +
            "; install the pinned version, or let it go on with the installed one by `godwit retry " +
            model::text(run.id()) + "`",
        path);
  return nullptr;
}

void Runner::block(ActiveRun& run, std::string why, std::string path, json::object sides) {
  if (!run.blocked.empty()) return;
  run.blocked = why;
  run.blocked_path = path;
  std::vector<Fact> facts;
  facts.emplace_back(RunChanged{.run = run.id(),
                                .change = RunChange::blocked,
                                .who = "godwitd",
                                .detail = std::move(why),
                                .path = std::move(path),
                                .at = parts_.clock.now(),
                                .sides = sides.empty() ? std::string() : base::serialize(sides)});
  parts_.store.append(std::move(facts), [this, id = run.id()](const Verdict& verdict) {
    if (verdict.kind == Verdict::fenced) return fenced();
    if (ActiveRun* active = find(id)) {
      tell_state(*active);
      goes_elsewhere(*active);
    }
  });
}

void Runner::unblock(ActiveRun& run) {
  run.blocked.clear();
  run.blocked_path.clear();
  run.accepts_installed = true;
  tell_state(run);
  dispatcher_.repeat_doubtful(run);
  advance(run);
}

void Runner::fail(ActiveRun& run, model::Failure failure, std::string path) {
  if (run.failure || run.ending) return;
  run.failure = std::move(failure);
  run.failed_path = std::move(path);
  // A driver that is being asked must return first.
  if (!run.advancing) wind_up(run);
}

void Runner::wind_up(ActiveRun& run) {
  dispatcher_.give_up(run);
  if (run.tasks.empty() && !run.ending) finish(run);
}

void Runner::consider_rest(ActiveRun& run) {
  if (goes_elsewhere(run)) return;
  if (run.rest_timer || run.resting || dispatcher_.draining() || !run.only_waits()) return;
  const auto wakes_at = run.wakes_at();
  if (wakes_at && *wakes_at < parts_.clock.now() + kWorthResting) return;
  const bool crowded = runs_.size() > runs_max_ / 2;
  run.rest_timer = parts_.clock.at(parts_.clock.tick() + (crowded ? base::Duration(0) : base::Duration(kLinger)),
                                   [this, id = run.id()] {
                                     ActiveRun* active = find(id);
                                     if (!active) return;
                                     active->rest_timer = 0;
                                     if (active->only_waits()) rest(*active);
                                   });
}

// The run leaves memory when that is stored: what it waits for is stored before.
void Runner::rest(ActiveRun& run) {
  run.resting = true;
  const auto wake_at = run.wakes_at();
  parts_.store.append({RunRested{run.id(), true, wake_at}}, [this, id = run.id(), wake_at](const Verdict& verdict) {
    if (verdict.kind == Verdict::fenced) return fenced();
    ActiveRun* active = find(id);
    if (!active) return;
    active->resting = false;
    if (active->only_waits() && active->wakes_at() == wake_at) return leave_memory(*active, wake_at);
    // Something came meanwhile.
    parts_.store.append({RunRested{id, false, {}}}, [](const Verdict&) {});
    advance(*active);
  });
}

void Runner::give_away(ActiveRun& run) {
  run.leaving = true;
  goes_elsewhere(run);
}

// Whether the run only stays until what is under way has ended. Its end is still this node's to write.
bool Runner::goes_elsewhere(ActiveRun& run) {
  if (!run.leaving || run.ending) return run.leaving;
  if (!run.is_still()) return true;
  // Whoever calls may still have the run in his hands.
  parts_.clock.post([this, id = run.id()] {
    ActiveRun* active = find(id);
    if (!active || !active->leaving || !active->is_still()) return;
    const auto keep = runs_.at(id);
    put_away(*active);
    hooks_.left(keep->record);
  });
  return true;
}

void Runner::put_away(ActiveRun& run) {
  if (dirty_.erase(run.id()) + due_.erase(run.id()) > 0)
    parts_.store.append_relaxed(ProgressNoted{run.id(), base::serialize(progress_of(run))});
  dispatcher_.forget(run);
  if (run.timeout_timer) parts_.clock.cancel(run.timeout_timer);
  if (run.rest_timer) parts_.clock.cancel(run.rest_timer);
  const auto keep = runs_.at(run.id());
  runs_.erase(run.id());
}

void Runner::leave_memory(ActiveRun& run, std::optional<base::Instant> wake_at) {
  tell_state(run);
  const auto keep = runs_.at(run.id());
  const bool for_lock = run.waits_for_lock();
  put_away(run);
  hooks_.rested(*keep, wake_at, for_lock);
}

void Runner::note_progress(ActiveRun& run) {
  if (run.ending) return;
  if (!due_.contains(run.id())) dirty_.insert(run.id());
  if (!progress_timer_) look_at_progress_later();
  tell_progress(run);
}

void Runner::look_at_progress_later() {
  progress_timer_ = parts_.clock.at(parts_.clock.tick() + kProgressInterval, [this] { flush_progress(); });
}

void Runner::flush_progress() {
  progress_timer_ = 0;
  for (const model::RunId id : std::exchange(due_, std::exchange(dirty_, {})))
    if (ActiveRun* run = find(id)) {
      run->noted = true;
      parts_.store.append_relaxed(ProgressNoted{id, base::serialize(progress_of(*run))});
    }
  if (!due_.empty()) look_at_progress_later();
}

void Runner::tell_progress(ActiveRun& run) {
  if (!parts_.followers.watched(run.id(), Interest::everything) || run.telling) return;
  run.telling = true;
  parts_.clock.at(parts_.clock.tick() + std::chrono::milliseconds(100), [this, id = run.id()] {
    ActiveRun* active = find(id);
    if (!active) return;
    active->telling = false;
    json::object event = progress_of(*active);
    event["event"] = "progress";
    event["run"] = model::number(id);
    event["state"] = model::name(active->state());
    parts_.followers.tell(id, Interest::everything, event);
  });
}

void Runner::tell_state(ActiveRun& run) {
  if (!parts_.followers.watched(run.id(), Interest::states)) return;
  json::object event{{"event", "state"}, {"run", model::number(run.id())}, {"state", model::name(run.state())}};
  if (!run.blocked.empty()) event["detail"] = run.blocked;
  parts_.followers.tell(run.id(), Interest::states, event);
}

}  // namespace godwit::engine
