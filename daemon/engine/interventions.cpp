#include "engine/interventions.hpp"

#include <algorithm>

#include "base/json_text.hpp"
#include "engine/progress.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

base::Error ended_error(model::RunId run, model::RunState state) {
  return base::refused("run " + model::text(run) + " has already ended (" + std::string(model::name(state)) + ")");
}

}  // namespace

base::Error Interventions::verdict_error(const Verdict& verdict) {
  if (verdict.kind == Verdict::fenced)
    return base::Error(base::ErrorKind::unavailable, "another daemon took this node's place");
  return base::refused("the change cannot be stored: " + verdict.message);
}

Audited Interventions::audit(const Caller& caller, std::string command, std::string target, json::object detail) const {
  return Audited{caller.uid,        caller.name, std::move(command), std::move(target), base::serialize(detail),
                 parts_.clock.now()};
}

void Interventions::change(model::RunId run, RunChange change, const Caller& caller, std::string command,
                           std::function<void(ActiveRun*)> effect, Answer<Nothing> answer, std::vector<Fact> more) {
  std::vector<Fact> facts;
  facts.emplace_back(RunChanged{run, change, caller.name, {}, {}, parts_.clock.now()});
  facts.emplace_back(audit(caller, std::move(command), model::text(run)));
  for (auto& fact : more) facts.push_back(std::move(fact));
  parts_.store.append(std::move(facts),
                      [this, run, effect = std::move(effect), answer = std::move(answer)](const Verdict& verdict) {
                        if (verdict.kind != Verdict::committed) return answer(verdict_error(verdict));
                        // It may be on its way to memory, with what was known of it before.
                        parts_.intake.with_run(run, [effect, answer](ActiveRun* active) {
                          effect(active);
                          answer(Nothing{});
                        });
                      });
}

void Interventions::load_waiting(model::RunId run, Answer<UnfinishedRun> answer) {
  parts_.store.load_run(run, [run, answer = std::move(answer)](Result<UnfinishedRun> stored) {
    if (stored && stored->ended) return answer(ended_error(run, *stored->ended));
    answer(std::move(stored));
  });
}

void Interventions::check_waiting(model::RunId run, Answer<Nothing> answer) {
  load_waiting(run, [answer = std::move(answer)](const Result<UnfinishedRun>& stored) {
    stored ? answer(Nothing{}) : answer(stored.error());
  });
}

void Interventions::cancel(model::RunId run, Caller caller, Answer<Nothing> answer) {
  parts_.intake.with_run(run, [this, run, caller = std::move(caller), answer = std::move(answer)](ActiveRun* active) {
    active ? cancel_active(run, caller, answer) : cancel_stored(run, caller, answer);
  });
}

void Interventions::wind_up(ActiveRun& run, const std::string& who) {
  if (run.ending) return;
  run.cancelling = true;
  run.cancelled_by = who;
  parts_.runner.wind_up(run);
}

void Interventions::cancel_active(model::RunId run, const Caller& caller, Answer<Nothing> answer) {
  change(
      run, RunChange::cancel_requested, caller, "run.cancel",
      [this, who = caller.name](ActiveRun* active) {
        if (active) wind_up(*active, who);
      },
      std::move(answer));
}

namespace {

bool has_begun(const UnfinishedRun& run) {
  return !run.steps.empty() || !run.attempts.empty() || !run.waits.empty();
}

}  // namespace

void Interventions::cancel_stored(model::RunId run, const Caller& caller, Answer<Nothing> answer) {
  load_waiting(run, [this, run, caller, answer = std::move(answer)](const Result<UnfinishedRun>& stored) {
    if (!stored) return answer(stored.error());
    // Its turn came while it was looked at.
    if (parts_.intake.is_here(run)) return cancel(run, caller, answer);
    if (!has_begun(*stored)) {
      std::vector<Fact> facts;
      facts.emplace_back(RunChanged{run, RunChange::cancel_requested, caller.name, {}, {}, parts_.clock.now()});
      facts.emplace_back(audit(caller, "run.cancel", model::text(run)));
      return end_stored(*stored, caller, std::move(facts), answer);
    }
    // What it has begun it winds up itself: the steps of its end, its children. Unless it cannot be had.
    change(
        run, RunChange::cancel_requested, caller, "run.cancel",
        [this, run, caller](ActiveRun* active) {
          active ? wind_up(*active, caller.name) : bring_to_end(run, caller, [] {});
        },
        answer);
  });
}

void Interventions::bring_to_end(model::RunId run, const Caller& caller, std::function<void()> done) {
  parts_.intake.take_up(run, [this, run, caller, done = std::move(done)](const Result<Nothing>& taken) {
    if (!taken) end_unloadable(run, caller);
    done();
  });
}

void Interventions::cancel_child(model::RunId child, model::RunId parent) {
  parts_.intake.with_run(child, [this, child, parent](ActiveRun* active) {
    if (active) return wind_up(*active, "run " + model::text(parent));
    // It waits for its turn here, or is another node's, and there is mail about it.
    parts_.runner.is_here(child) ? cancel_waiting(child, [] {}) : parts_.mailed();
  });
}

void Interventions::cancel_waiting(model::RunId run, std::function<void()> done) {
  load_waiting(run, [this, run, done = std::move(done)](const Result<UnfinishedRun>& stored) {
    if (!stored || !stored->cancel_requested || parts_.intake.is_here(run)) return done();
    const Caller caller{0, stored->cancelled_by, {}};
    has_begun(*stored) ? bring_to_end(run, caller, done)
                       : end_stored(*stored, caller, {}, [done](const Result<Nothing>&) { done(); });
  });
}

void Interventions::end_unloadable(model::RunId run, const Caller& caller) {
  load_waiting(run, [this, run, caller](const Result<UnfinishedRun>& stored) {
    if (stored && !parts_.intake.is_here(run)) end_stored(*stored, caller, {}, [](const Result<Nothing>&) {});
  });
}

// A run that is not in memory, and stays out of it while its end is written. Its children end with it.
void Interventions::end_stored(const UnfinishedRun& stored, const Caller& caller, std::vector<Fact> facts,
                               Answer<Nothing> answer) {
  const Submitted& record = stored.run;
  std::vector<model::RunId> children;
  for (const auto& [path, wait] : stored.waits)
    if (wait.opened.child && !wait.child_end) children.push_back(*wait.opened.child);
  for (const auto child : children)
    facts.emplace_back(parts_.runner.waits().cancellation(record.run, child));
  const RunDone done{.run = record.run,
                     .state = model::RunState::cancelled,
                     .failure = model::Failure{"cancelled", "cancelled by " + caller.name, false, {}},
                     .at = parts_.clock.now(),
                     .parent = record.parent,
                     .parent_elsewhere = record.parent && !parts_.intake.is_here(*record.parent),
                     .was_unique = !record.unique.empty(),
                     .had_locks = true,
                     .delete_at = delete_at(record, parts_.clock.now())};
  facts.emplace_back(done);
  parts_.intake.withhold(record);
  parts_.store.append(std::move(facts), [this, record, done, children,
                                         answer = std::move(answer)](const Verdict& verdict) {
    if (verdict.kind != Verdict::committed) {
      // Its turn may have passed meanwhile.
      parts_.intake.take_up(record.run, [](const Result<Nothing>&) {});
      return answer(verdict_error(verdict));
    }
    parts_.intake.ended_in_store(record, done);
    for (const auto child : children) cancel_child(child, record.run);
    answer(Nothing{});
  });
}

void Interventions::pause(model::RunId run, Caller caller, Answer<Nothing> answer) {
  const auto store_it = [this, run, caller](Answer<Nothing> done) {
    change(
        run, RunChange::paused, caller, "run.pause",
        [this](ActiveRun* active) {
          if (!active) return;
          active->paused = true;
          parts_.runner.tell_state(*active);
        },
        std::move(done));
  };
  parts_.intake.with_run(run, [this, run, store_it, answer = std::move(answer)](ActiveRun* active) {
    if (active) return store_it(answer);
    check_waiting(
        run, [store_it, answer](const Result<Nothing>& known) { known ? store_it(answer) : answer(known.error()); });
  });
}

void Interventions::resume(model::RunId run, Caller caller, Answer<Nothing> answer) {
  const auto store_it = [this, run, caller](Answer<Nothing> done) {
    change(
        run, RunChange::resumed, caller, "run.resume",
        [this](ActiveRun* active) {
          if (!active) return;
          active->paused = false;
          parts_.runner.tell_state(*active);
          parts_.runner.advance(*active);
        },
        std::move(done));
  };
  const auto not_paused = base::refused("run " + model::text(run) + " is not paused");
  parts_.intake.with_run(run, [this, run, store_it, not_paused, answer = std::move(answer)](ActiveRun* active) {
    if (active) return active->paused ? store_it(answer) : answer(not_paused);
    load_waiting(run, [store_it, not_paused, answer](const Result<UnfinishedRun>& stored) {
      if (!stored) return answer(stored.error());
      stored->paused ? store_it(answer) : answer(not_paused);
    });
  });
}

void Interventions::set_limit(std::string name, std::optional<model::LimitSpec> spec, Caller caller,
                              Answer<Nothing> answer) {
  if (spec && spec->permits < 0)
    return answer(base::refused("a limit cannot have " + std::to_string(spec->permits) + " permits", {},
                                "give 0 to let nothing through"));
  if (spec && !model::is_limit_name(name))
    return answer(base::refused("'" + name.substr(0, 100) + "' cannot be the name of a limit", {.path = "name"},
                                "use up to 200 letters, digits and signs, and no space at either end"));
  if (!spec && !parts_.limits.set_by_operator(name))
    return answer(base::not_found("no operator has set limit '" + name + "'",
                                  "`godwit limit list` shows who has set which"));
  const LimitSet set{name, spec.value_or(model::LimitSpec{}), !spec};
  std::vector<Fact> facts;
  facts.emplace_back(set);
  if (spec)
    facts.emplace_back(audit(caller, "limit.set", name, {{"limit", model::format_limit(*spec)}}));
  else
    facts.emplace_back(audit(caller, "limit.unset", name));
  parts_.store.append(std::move(facts), [this, set, answer = std::move(answer)](const Verdict& verdict) {
    if (verdict.kind != Verdict::committed) return answer(verdict_error(verdict));
    ++changes_;
    parts_.limits.take(set);
    parts_.tell_others();
    answer(Nothing{});
  });
}

void Interventions::pause_queue(std::string name, bool paused, Caller caller, Answer<Nothing> answer) {
  if (!paused && !parts_.queues.paused(name))
    return answer(base::refused("queue '" + name + "' is not paused", {}, "`godwit queue list` shows the queues"));
  if (!parts_.intake.knows_queue(name))
    return answer(base::not_found("there is no queue '" + name + "'",
                                  "`godwit queue list` shows those that are set or in use"));
  const auto now = parts_.clock.now();
  std::vector<Fact> facts;
  facts.emplace_back(QueueSet{name, paused, caller.name, now});
  facts.emplace_back(audit(caller, paused ? "queue.pause" : "queue.resume", name));
  parts_.store.append(std::move(facts), [this, name, paused, who = caller.name, now,
                                         answer = std::move(answer)](const Verdict& verdict) {
    if (verdict.kind != Verdict::committed) return answer(verdict_error(verdict));
    ++changes_;
    parts_.queues.pause(name, paused ? std::optional(Queues::Pause{who, now}) : std::nullopt);
    parts_.intake.queues_changed();
    parts_.tell_others();
    answer(Nothing{});
  });
}

void Interventions::why(model::RunId run, Answer<json::object> answer) {
  const auto view = [run](std::string_view state, json::array reasons) {
    return json::object{{"run", model::number(run)},
                        {"state", json::string_view(state.data(), state.size())},
                        {"reasons", std::move(reasons)}};
  };
  if (const ActiveRun* active = parts_.runner.find(run))
    return answer(view(model::name(active->state()), reasons(*active, parts_.limits, parts_.breakers, parts_.store)));
  parts_.store.load_run(run, [this, run, view, answer = std::move(answer)](Result<UnfinishedRun> stored) {
    if (!stored) return answer(stored.error());
    json::array list;
    if (stored->ended) {
      list.push_back(
          json::object{{"code", "ended"}, {"text", "the run has ended; see `godwit show " + model::text(run) + "`"}});
      return answer(view(model::name(*stored->ended), std::move(list)));
    }
    if (stored->paused) list.push_back(paused_reason(run));
    if (!stored->blocked.empty()) {
      list.push_back(json::object{{"code", "blocked"}, {"text", stored->blocked}, {"step", stored->blocked_path}});
      return answer(view(model::name(model::RunState::blocked), std::move(list)));
    }
    if (parts_.intake.rests(run)) {
      for (const auto& [path, wait] : stored->waits) list.push_back(wait_reason(wait.opened));
      for (const auto& [path, attempts] : stored->attempts)
        list.push_back(json::object{{"code", "backoff"},
                                    {"step", path},
                                    {"until", base::format_instant(attempts.next_at)},
                                    {"text", path + " is tried again at " + base::format_instant(attempts.next_at) +
                                                 " after: " + attempts.last_failure.message}});
      const ActiveRun::Turn* turn = nullptr;
      const auto options =
          stored->run.options.empty() ? json::value(json::object()) : base::parse_json(stored->run.options);
      std::optional<ActiveRun::Turn> known;
      if (const auto* given = options.as_object().if_contains("concurrency"))
        turn = &known.emplace(ActiveRun::turn_of(stored->run.job, given->as_object()));
      const auto state = stored->paused ? model::RunState::paused : model::RunState::waiting;
      if (!turn || !list.empty()) return answer(view(model::name(state), std::move(list)));
      // It rests before its first step: for its turn.
      return parts_.store.read_locks(turn->lock, [run, view, turn = *turn, answer](Result<std::vector<LockRow>> rows) {
        if (!rows) return answer(rows.error());
        std::vector<LockRow> before;
        for (const auto& row : *rows) {
          if (row.run == run && row.path.empty()) break;
          before.push_back(row);
        }
        answer(view(model::name(model::RunState::waiting), json::array{turn_reason(turn, before)}));
      });
    }
    if (stored->paused) return answer(view(model::name(model::RunState::paused), std::move(list)));
    list = parts_.queues.reasons(parts_.intake.rank(stored->run));
    if (list.empty())
      list.push_back(
          json::object{{"code", "active_runs"},
                       {"text", "waits in the store for room among the runs in memory (engine.active_runs_max)"}});
    answer(view(model::name(model::RunState::queued), std::move(list)));
  });
}

}  // namespace godwit::engine
