#include "lab/memory_store.hpp"

#include <algorithm>

#include "engine/rank.hpp"

namespace godwit::lab {

using namespace engine;

std::optional<base::Instant> Memory::wake_at(const Run& run, base::Instant now) const {
  for (const auto& [path, wait] : run.waits)
    if (wait.child && !run.steps.contains(path) && runs.at(*wait.child).done) return now;
  for (const auto& change : run.changes)
    if (change.change == RunChange::cancel_requested) return now;
  for (const auto& row : locks) {
    if (row.run != run.submitted.run || !row.granted) continue;
    if (row.path.empty() ? run.waits.empty() && run.attempts.empty()
                         : run.waits.contains(row.path) && !run.steps.contains(row.path))
      return now;
  }
  return run.rested->wake_at;
}

void MemoryStore::append(std::vector<Fact> facts, std::function<void(Verdict)> settled) {
  pending_.push_back({std::move(facts), std::move(settled)});
  if (!std::exchange(settling_, true)) clock_.post([this] { settle(); });
}

void MemoryStore::settle() {
  settling_ = false;
  if (away_ || dead_) return;
  auto batch = std::exchange(pending_, {});
  for (auto& group : batch) {
    if (dies_before_commit()) return;
    const Verdict verdict = commit(group.facts);
    if (dead_) return;
    group.settled(verdict);
  }
}

// Counts a transaction; it may be the one at which the process dies.
bool MemoryStore::dies_before_commit() {
  ++memory_.groups;
  dead_ = dead_ || (death && death->group == memory_.groups);
  return dead_ && !death->after_commit;
}

void MemoryStore::set_away(bool away) {
  away_ = away;
  if (!away && !pending_.empty() && !std::exchange(settling_, true)) clock_.post([this] { settle(); });
}

void MemoryStore::crash(std::mt19937_64& random) {
  const std::size_t committed = away_ ? 0 : random() % (pending_.size() + 1);
  for (std::size_t i = 0; i < committed; ++i) commit(pending_[i].facts);
  pending_.clear();
}

namespace {

struct Applier {
  Memory& memory;
  int node;

  // Only the owner writes what becomes of a run.
  void check_owner(const Memory::Run& run, const char* what) const {
    if (run.owner != node)
      memory.faults.push_back(std::string(what) + " of run " + model::text(run.submitted.run) + " was written by node " +
                              std::to_string(node) + ", which does not have it");
  }
  void send_mail(model::RunId run) const {
    const auto number = ++memory.last_run;
    memory.mail[number] = {number, run, {}};
  }

  void operator()(const JobStored& fact) { memory.jobs.try_emplace(fact.version, fact); }
  void operator()(const Submitted& fact) {
    auto& run = memory.runs[fact.run];
    run.submitted = fact;
    run.owner = node;
    if (!fact.key.empty()) memory.keys[{fact.job, fact.key}] = fact.run;
    if (fact.retry_of)
      for (const auto& path : fact.copied_steps) {
        auto step = memory.runs.at(*fact.retry_of).steps.at(path);
        step.run = fact.run;
        run.steps[path] = step;
        run.step_order.push_back(path);
      }
    std::erase_if(memory.inbox, [&](const auto& entry) { return entry.run == fact.run; });
  }
  void operator()(const AttemptStarted& fact) {
    auto& attempts = memory.runs.at(fact.run).attempts[fact.path];
    attempts.made = fact.attempt;
    attempts.in_doubt = true;
  }
  void operator()(const AttemptFailed& fact) {
    auto& attempts = memory.runs.at(fact.run).attempts[fact.path];
    attempts = {fact.attempt, false, fact.next_at, fact.failure};
  }
  void operator()(const StepDone& fact) {
    auto& run = memory.runs.at(fact.run);
    check_owner(run, "a step");
    if (run.done) memory.faults.push_back("a step of an ended run was recorded: " + fact.path);
    if (!run.steps.try_emplace(fact.path, fact).second)
      memory.faults.push_back("a step was recorded twice: " + fact.path);
    run.step_order.push_back(fact.path);
    run.attempts.erase(fact.path);
    for (const auto& row : fact.emitted) memory.emitted.push_back(row);
  }
  void operator()(const CheckpointPut& fact) { memory.checkpoints[{fact.run, fact.path, fact.key}] = fact.value; }
  void operator()(const WaitOpened& fact) {
    if (!memory.runs.at(fact.run).waits.try_emplace(fact.path, fact).second)
      memory.faults.push_back("a wait was opened twice: " + fact.path);
  }
  void operator()(const SignalSent& fact) {
    auto& run = memory.runs.at(fact.run);
    run.signals.emplace(fact.signal.number, fact.signal);
    run.rested.reset();
    if (fact.from_inbox)
      std::erase_if(memory.signal_inbox, [&](const auto& sent) { return sent.signal.number == fact.signal.number; });
  }
  void operator()(const SignalTaken& fact) {
    if (memory.runs.at(fact.run).signals.erase(fact.number) == 0) memory.faults.push_back("a signal was taken twice");
  }
  void operator()(const RunRested& fact) {
    auto& run = memory.runs.at(fact.run);
    run.rested = fact.resting ? std::optional(fact) : std::nullopt;
  }
  void operator()(const RunReleased& fact) { memory.runs.at(fact.run).owner = 0; }
  void operator()(const CursorMoved& fact) {
    auto& run = memory.runs.at(fact.run);
    run.cursors[fact.path] = fact.value;
    const auto below = [&](const std::string& path) {
      return std::any_of(fact.folded.begin(), fact.folded.end(),
                         [&](const std::string& folded) { return path == folded || path.starts_with(folded + "/"); });
    };
    std::erase_if(run.steps, [&](const auto& entry) { return below(entry.first); });
    std::erase_if(run.step_order, below);
    std::erase_if(run.attempts, [&](const auto& entry) { return below(entry.first); });
    std::erase_if(run.waits, [&](const auto& entry) { return below(entry.first); });
  }
  void operator()(const LockReleased& fact) {
    std::erase_if(memory.locks, [&](const LockRow& row) { return row.run == fact.run && row.path == fact.path; });
  }
  void operator()(const RunChanged& fact) {
    auto& run = memory.runs.at(fact.run);
    fact.elsewhere ? send_mail(fact.run) : run.rested.reset();
    run.changes.push_back(fact);
    if (fact.change == RunChange::closing)
      std::erase_if(memory.locks, [&](const LockRow& row) { return row.run == fact.run && !row.path.empty(); });
    if (fact.change == RunChange::unblocked)
      for (auto& [path, attempts] : run.attempts) attempts.in_doubt = false;
  }
  void operator()(const RunDone& fact) {
    auto& run = memory.runs.at(fact.run);
    check_owner(run, "the end");
    if (++run.ends > 1) memory.faults.push_back("a run ended twice");
    run.done = fact;
    const auto locks = std::erase_if(memory.locks, [&](const LockRow& row) { return row.run == fact.run; });
    if (locks > 0 && !fact.had_locks) memory.faults.push_back("a run ended and did not say that it had locks");
    if (fact.parent) fact.parent_elsewhere ? send_mail(*fact.parent) : memory.runs.at(*fact.parent).rested.reset();
  }
  void operator()(const LimitSet& fact) { memory.limits[fact.name] = fact; }
  void operator()(const QueueSet& fact) { memory.queues[fact.name] = fact; }
  void operator()(const ScheduleSet& fact) { memory.schedules[fact.name] = fact; }
  void operator()(const Fired& fact) {
    memory.fires[{fact.schedule, fact.instant}] = fact.run;
    memory.fires_skipped.erase({fact.schedule, fact.instant});
  }
  void operator()(const FireSkipped& fact) {
    if (!memory.fires.contains({fact.schedule, fact.instant}))
      memory.fires_skipped.try_emplace({fact.schedule, fact.instant}, fact.why);
  }
  void operator()(const Audited& fact) { memory.audit.push_back(fact); }
  void operator()(const ArtifactStored& fact) { memory.artifacts.push_back(fact); }
  void operator()(const ProgressNoted&) {}
  void operator()(const Logged&) {}
};

}  // namespace

bool MemoryStore::is_fenced() const {
  return epoch_ != 0 && memory_.checks_epochs && memory_.epochs[node_] != epoch_;
}

Verdict MemoryStore::commit(const std::vector<Fact>& facts) {
  if (is_fenced()) return {Verdict::fenced, {}, false, "another process has this node's place"};
  for (const auto& fact : facts) {
    if (const auto* submitted = std::get_if<Submitted>(&fact); submitted && !submitted->key.empty()) {
      const auto taken = memory_.keys.find({submitted->job, submitted->key});
      if (taken != memory_.keys.end()) return {Verdict::duplicate, taken->second, false, {}};
    }
    if (const auto* fired = std::get_if<Fired>(&fact)) {
      const auto taken = memory_.fires.find({fired->schedule, fired->instant});
      if (taken != memory_.fires.end()) return {Verdict::duplicate, taken->second, false, {}};
      const auto skipped = memory_.fires_skipped.find({fired->schedule, fired->instant});
      if (skipped != memory_.fires_skipped.end() && !fired->made_up)
        return {Verdict::duplicate, {}, false, skipped->second};
    }
    if (const auto* submitted = std::get_if<Submitted>(&fact); submitted && !submitted->unique.empty())
      for (const auto& [id, run] : memory_.runs)
        if (!run.done && id != submitted->unique_from && run.submitted.job == submitted->job &&
            run.submitted.unique == submitted->unique)
          return {Verdict::duplicate, id, true, {}};
    if (refused_end && std::holds_alternative<RunDone>(fact))
      return {Verdict::refused, {}, false, "refused, as was asked for"};
    if (const auto* step = std::get_if<StepDone>(&fact);
        step && !refused_text.empty() && step->output.find(refused_text) != std::string::npos)
      return {Verdict::refused, {}, false, "refused, as was asked for"};
  }
  Applier applier{memory_, node_};
  for (const auto& fact : facts) std::visit(applier, fact);
  return {};
}

void MemoryStore::allocate_runs(std::size_t count, Answer<std::vector<model::RunId>> answer) {
  std::vector<model::RunId> ids;
  for (std::size_t i = 0; i < count; ++i) ids.push_back(model::RunId(++memory_.last_run));
  clock_.post([answer = std::move(answer), ids] { answer(ids); });
}

UnfinishedRun MemoryStore::view(const Memory::Run& run) const {
  UnfinishedRun view{.run = run.submitted};
  for (const auto& path : run.step_order) {
    view.steps.push_back(run.steps.at(path));
    if (view.steps.back().output.size() > output_max) {
      view.steps.back().output.clear();
      view.output_omitted.push_back(path);
    }
  }
  view.attempts = run.attempts;
  for (const auto& change : run.changes) {
    if (change.change == RunChange::paused) view.paused = true;
    if (change.change == RunChange::resumed) view.paused = false;
    if (change.change == RunChange::cancel_requested) view.cancel_requested = true, view.cancelled_by = change.who;
    if (change.change == RunChange::blocked) view.blocked = change.detail, view.blocked_path = change.path;
    if (change.change == RunChange::unblocked) view.blocked.clear();
    if (change.change == RunChange::closing) view.closing = change.detail;
    if (change.change == RunChange::migrated) apply_migration(view.run, change.detail);
  }
  for (const auto& [path, wait] : run.waits) {
    if (run.steps.contains(path)) continue;
    auto& opened = view.waits[path];
    opened.opened = wait;
    if (wait.child) opened.child_end = memory_.runs.at(*wait.child).done;
  }
  for (const auto& [number, signal] : run.signals) view.signals.push_back(signal);
  view.cursors = run.cursors;
  if (run.done) view.ended = run.done->state;
  return view;
}

void MemoryStore::load_unfinished(model::RunId after, std::size_t limit, Answer<std::vector<UnfinishedRun>> answer) {
  // As it is now: what is stored before the answer comes is not in it, as with a database.
  std::vector<UnfinishedRun> runs;
  for (auto run = memory_.runs.upper_bound(after); run != memory_.runs.end() && runs.size() < limit; ++run)
    if (!run->second.done && !run->second.rested && run->second.owner == node_ && rank_of(run->second.submitted).plain())
      runs.push_back(view(run->second));
  answer_after(load_hops, [runs = std::move(runs), answer = std::move(answer)]() mutable { answer(std::move(runs)); });
}

void MemoryStore::answer_after(std::size_t hops, std::function<void()> answer) {
  clock_.post([this, hops, answer = std::move(answer)]() mutable {
    if (hops == 0) return answer();
    answer_after(hops - 1, std::move(answer));
  });
}

void MemoryStore::load_ranked(model::RunId after, std::size_t limit, Answer<std::vector<RankedRun>> answer) {
  std::vector<RankedRun> ranked;
  for (const auto& [id, run] : memory_.runs)
    if (id > after && ranked.size() < limit && run.owner == node_ && !run.done && !rank_of(run.submitted).plain())
      ranked.push_back({id, run.submitted.options, run.submitted.submitted_at,
                        !run.steps.empty() || !run.attempts.empty() || !run.waits.empty(), run.rested.has_value(),
                        memory_.rests_for_lock(run)});
  answer_after(load_hops,
               [ranked = std::move(ranked), answer = std::move(answer)]() mutable { answer(std::move(ranked)); });
}

void MemoryStore::load_run(model::RunId run, Answer<UnfinishedRun> answer) {
  clock_.post([this, run, answer = std::move(answer)] {
    const auto found = memory_.runs.find(run);
    if (found == memory_.runs.end()) return answer(base::not_found("there is no run " + model::text(run)));
    answer(view(found->second));
  });
}

void MemoryStore::load_runs(std::vector<model::RunId> wanted, Answer<std::vector<UnfinishedRun>> answer) {
  clock_.post([this, wanted = std::move(wanted), answer = std::move(answer)] {
    std::vector<UnfinishedRun> runs;
    for (const auto run : wanted)
      if (const auto& known = memory_.runs.at(run); !known.done && known.owner == node_) runs.push_back(view(known));
    answer_after(load_hops, [runs = std::move(runs), answer]() mutable { answer(std::move(runs)); });
  });
}

void MemoryStore::load_resting(Answer<std::vector<Resting>> answer) {
  clock_.post([this, answer = std::move(answer)] {
    std::vector<Resting> resting;
    for (const auto& [id, run] : memory_.runs)
      if (run.rested && !run.done && run.owner == node_) resting.push_back({id, memory_.wake_at(run, clock_.now())});
    answer(std::move(resting));
  });
}

void MemoryStore::execute(SqlStep step, Answer<SqlDone> answer) {
  clock_.post([this, step = std::move(step), answer = std::move(answer)]() mutable {
    if (dead_) return;
    if (is_fenced()) return answer(base::Error(base::ErrorKind::unavailable, "another process has this node's place"));
    auto& steps = memory_.runs.at(step.done.run).steps;
    if (const auto found = steps.find(step.done.path); found != steps.end()) return answer(SqlDone{found->second.output, found->second.finished_at});
    try {
      if (!statements) throw base::refused("there is no database here: the test must say what sql.exec gives");
      step.done.output = statements(step);
    } catch (const base::Error& error) {
      return answer(error);
    }
    if (dies_before_commit()) return;
    ++memory_.executed[step.statement];
    step.done.finished_at = std::max(clock_.now(), step.done.started_at);
    SqlDone done{step.done.output, step.done.finished_at};
    commit({std::move(step.done)});
    if (!dead_) answer(std::move(done));
  });
}

void MemoryStore::take_lock(LockRow wanted, Answer<std::vector<LockRow>> answer) {
  clock_.post([this, wanted = std::move(wanted), answer = std::move(answer)] {
    if (is_fenced()) return answer(base::Error(base::ErrorKind::unavailable, "another process has this node's place"));
    if (dead_ || dies_before_commit()) return;
    auto& locks = memory_.locks;
    const auto same = [&](const LockRow& row) { return row.run == wanted.run && row.path == wanted.path; };
    auto own = std::find_if(locks.begin(), locks.end(), same);
    if (own == locks.end()) own = locks.insert(own, wanted);
    std::vector<LockRow> rows;
    for (auto row = locks.begin(); row != locks.end(); ++row)
      if (row != own && row->name == wanted.name && (row->granted || row < own)) rows.push_back(*row);
    own->granted = own->granted || rows.size() < static_cast<std::size_t>(wanted.permits);
    rows.push_back(*own);
    if (!dead_) answer(std::move(rows));
  });
}

void MemoryStore::grantable_locks(std::vector<std::string> names, Answer<std::vector<model::RunId>> answer) {
  clock_.post([this, names = std::move(names), answer = std::move(answer)] {
    std::map<std::string, int> had;
    for (const auto& row : memory_.locks) had[row.name] += row.granted ? 1 : 0;
    std::vector<model::RunId> runs;
    for (const auto& row : memory_.locks) {
      const bool meant = names.empty() || std::find(names.begin(), names.end(), row.name) != names.end();
      if (meant && !row.granted && had[row.name]++ < row.permits) runs.push_back(row.run);
    }
    answer(std::move(runs));
  });
}

void MemoryStore::read_locks(std::string name, Answer<std::vector<LockRow>> answer) {
  clock_.post([this, name = std::move(name), answer = std::move(answer)] {
    std::vector<LockRow> rows;
    for (const auto& row : memory_.locks)
      if (name.empty() || row.name == name) rows.push_back(row);
    std::stable_partition(rows.begin(), rows.end(), [](const LockRow& row) { return row.granted; });
    answer(std::move(rows));
  });
}

void MemoryStore::read_signals(std::size_t limit, Answer<std::vector<SignalSent>> answer) {
  clock_.post([this, limit, answer = std::move(answer)] {
    std::vector<SignalSent> sent;
    for (const auto& one : memory_.signal_inbox)
      if (sent.size() < limit && memory_.runs.contains(one.run) && memory_.runs.at(one.run).owner == node_) sent.push_back(one);
    answer(std::move(sent));
  });
}

void MemoryStore::read_outputs(model::RunId run, std::vector<std::string> paths,
                               Answer<std::map<std::string, std::string>> answer) {
  clock_.post([this, run, paths = std::move(paths), answer = std::move(answer)] {
    std::map<std::string, std::string> outputs;
    for (const auto& path : paths) outputs[path] = memory_.runs.at(run).steps.at(path).output;
    answer(std::move(outputs));
  });
}

void MemoryStore::read_checkpoint(model::RunId run, std::string path, std::string key,
                                  Answer<std::optional<std::string>> answer) {
  clock_.post([this, run, path, key, answer = std::move(answer)] {
    const auto found = memory_.checkpoints.find({run, path, key});
    answer(found == memory_.checkpoints.end() ? std::nullopt : std::optional(found->second));
  });
}

void MemoryStore::load_job(std::string version, Answer<JobStored> answer) {
  clock_.post([this, version, answer = std::move(answer)] {
    const auto found = memory_.jobs.find(version);
    if (found == memory_.jobs.end()) return answer(base::not_found("there is no version " + version));
    answer(found->second);
  });
}

// Of what may be lost only the progress is of interest here.
void MemoryStore::append_relaxed(Fact fact) {
  const auto* noted = std::get_if<ProgressNoted>(&fact);
  if (const auto run = noted ? memory_.runs.find(noted->run) : memory_.runs.end(); run != memory_.runs.end())
    run->second.progress = noted->progress;
}

void MemoryStore::load_limits(Answer<std::vector<LimitSet>> answer) {
  clock_.post([this, answer = std::move(answer)] {
    std::vector<LimitSet> limits;
    for (const auto& [name, set] : memory_.limits) limits.push_back(set);
    answer(std::move(limits));
  });
}

void MemoryStore::load_queues(Answer<std::vector<QueueSet>> answer) {
  clock_.post([this, answer = std::move(answer)] {
    std::vector<QueueSet> paused;
    for (const auto& [name, set] : memory_.queues)
      if (set.paused) paused.push_back(set);
    answer(std::move(paused));
  });
}

void MemoryStore::load_schedules(Answer<std::vector<StoredSchedule>> answer) {
  clock_.post([this, answer = std::move(answer)] {
    std::vector<StoredSchedule> stored;
    for (const auto& [name, set] : memory_.schedules) {
      StoredSchedule schedule{set, {}};
      for (const auto& [key, run] : memory_.fires)
        if (key.first == name) schedule.last_fire = std::max(schedule.last_fire.value_or(key.second), key.second);
      for (const auto& [key, why] : memory_.fires_skipped)
        if (key.first == name) schedule.last_fire = std::max(schedule.last_fire.value_or(key.second), key.second);
      stored.push_back(std::move(schedule));
    }
    answer_after(load_hops, [stored = std::move(stored), answer]() mutable { answer(std::move(stored)); });
  });
}

void MemoryStore::open_fires(std::string schedule, base::Instant instant, Answer<OpenFires> answer) {
  clock_.post([this, schedule = std::move(schedule), instant, answer = std::move(answer)] {
    if (refused_looks > 0 && refused_looks--) return answer(base::Error(base::ErrorKind::failed, "refused"));
    OpenFires fires;
    for (const auto& [key, run] : memory_.fires) {
      if (key.first != schedule) continue;
      if (!memory_.runs.at(run).done) fires.runs.push_back(run);
      if (key.second == instant) fires.taken = run;
    }
    if (const auto skipped = memory_.fires_skipped.find({schedule, instant}); skipped != memory_.fires_skipped.end())
      fires.skipped = skipped->second;
    answer(std::move(fires));
  });
}

void MemoryStore::read_inbox(std::size_t limit, Answer<std::vector<InboxEntry>> answer) {
  clock_.post([this, limit, answer = std::move(answer)] {
    answer(std::vector<InboxEntry>(memory_.inbox.begin(), memory_.inbox.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                                      limit, memory_.inbox.size()))));
  });
}

}  // namespace godwit::lab
