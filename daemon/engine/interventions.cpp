#include "engine/interventions.hpp"

#include <algorithm>

#include "engine/progress.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

base::Error ended_error(model::RunId run, model::RunState state) {
  return base::refused("run " + model::text(run) + " has already ended (" + std::string(model::name(state)) + ")");
}

// The finished steps that a run continued from `from` takes over: all but what `from` names, what depends on it, and
// what failed the run.
std::vector<std::string> kept_steps(const CompiledJob& job, const std::vector<StepDone>& steps,
                                    const std::string& from) {
  std::optional<CompiledJob::Parsed> start;
  std::vector<bool> again(job.stages().size(), false);
  if (!from.empty()) {
    start = job.parse_path(from);
    if (!start || start->list) throw base::not_found("job '" + job.job().name + "' has no step '" + from + "'");
    again = job.dependents(start->step.stage);
    // One item of a foreach is done again alone; what needs the stage follows.
    if (start->step.item != StepRef::kSingle) again[start->step.stage] = false;
  }
  std::vector<std::string> kept;
  for (const auto& step : steps) {
    const auto parsed = job.parse_path(step.path);
    if (!parsed || again[parsed->step.stage]) continue;
    if (start && !parsed->list && parsed->step == start->step) continue;
    const model::Stage& spec = *job.stages()[parsed->step.stage].spec;
    const bool failed_the_run =
        step.state == model::StepState::failed &&
        (parsed->step.item == StepRef::kSingle || spec.on_item_error == model::OnItemError::fail);
    if (!failed_the_run) kept.push_back(step.path);
  }
  return kept;
}

}  // namespace

base::Error Interventions::verdict_error(const Verdict& verdict) {
  if (verdict.kind == Verdict::fenced)
    return base::Error(base::ErrorKind::unavailable, "another daemon took this node's place");
  return base::refused("the change cannot be stored: " + verdict.message);
}

Audited Interventions::audit(const Caller& caller, std::string command, std::string target, json::object detail) const {
  return Audited{caller.uid,        caller.name, std::move(command), std::move(target), json::serialize(detail),
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
                        effect(parts_.runner.find(run));
                        answer(Nothing{});
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

void Interventions::cancel_active(model::RunId run, const Caller& caller, Answer<Nothing> answer) {
  change(
      run, RunChange::cancel_requested, caller, "run.cancel",
      [this, who = caller.name](ActiveRun* active) {
        if (!active || active->ending) return;
        active->cancelling = true;
        active->cancelled_by = who;
        parts_.runner.wind_up(*active);
      },
      std::move(answer));
}

void Interventions::cancel_stored(model::RunId run, const Caller& caller, Answer<Nothing> answer) {
  load_waiting(run, [this, run, caller, answer = std::move(answer)](Result<UnfinishedRun> stored) {
    if (!stored) return answer(stored.error());
    const RunDone done{.run = run,
                       .state = model::RunState::cancelled,
                       .failure = model::Failure{"cancelled", "cancelled by " + caller.name, false, {}},
                       .at = parts_.clock.now(),
                       .parent = stored->run.parent};
    change(run, RunChange::cancel_requested, caller, "run.cancel",
           [this, record = stored->run, done](ActiveRun*) { parts_.intake.ended(record, done); }, answer, {done});
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

void Interventions::retry(model::RunId run, std::string from, Caller caller, Answer<model::RunId> answer) {
  parts_.intake.with_run(run, [this, run, from = std::move(from), caller = std::move(caller),
                               answer = std::move(answer)](ActiveRun* active) {
    active ? retry_active(*active, from, caller, answer) : retry_stored(run, from, caller, answer);
  });
}

void Interventions::retry_active(const ActiveRun& active, const std::string& from, const Caller& caller,
                                 Answer<model::RunId> answer) {
  const model::RunId run = active.id();
  if (active.blocked.empty() || !from.empty())
    return answer(
        base::refused("run " + model::text(run) + " has not ended; cancel it first to run a part of it again"));
  change(
      run, RunChange::unblocked, caller, "run.retry",
      [this](ActiveRun* unblocked) {
        if (unblocked) parts_.runner.unblock(*unblocked);
      },
      [run, answer](const Result<Nothing>& done) { done ? answer(run) : answer(done.error()); });
}

void Interventions::retry_stored(model::RunId run, std::string from, Caller caller, Answer<model::RunId> answer) {
  parts_.store.load_run(
      run, [this, run, from = std::move(from), caller, answer = std::move(answer)](Result<UnfinishedRun> stored) {
        if (!stored) return answer(stored.error());
        if (stored->ended) return continue_anew(std::move(*stored), from, caller, answer);
        if (stored->blocked.empty() || !from.empty())
          return answer(
              base::refused("run " + model::text(run) + " has not ended; cancel it first to run a part of it again"));
        // Blocked without being in memory: its version could not be used. The next start, or this, tries again.
        change(
            run, RunChange::unblocked, caller, "run.retry", [](ActiveRun*) {},
            [this, run, answer](const Result<Nothing>& done) {
              if (!done) return answer(done.error());
              parts_.store.load_run(run, [this, run, answer](Result<UnfinishedRun> again) {
                if (!again) return answer(again.error());
                parts_.intake.take_up(std::move(*again), [run, answer](const Result<Nothing>& taken) {
                  taken ? answer(run) : answer(taken.error());
                });
              });
            });
      });
}

void Interventions::continue_anew(UnfinishedRun old, std::string from, Caller caller, Answer<model::RunId> answer) {
  if (*old.ended == model::RunState::succeeded && from.empty())
    return answer(base::refused("run " + model::text(old.run.run) + " succeeded", {},
                                "name the step to begin with: --from STEP"));
  const std::string version = old.run.version;
  parts_.jobs.load(version, [this, old = std::move(old), from = std::move(from), caller,
                             answer = std::move(answer)](Result<std::shared_ptr<const CompiledJob>> job) mutable {
    if (!job) return answer(job.error());
    Submitted anew = old.run;
    try {
      anew.copied_steps = kept_steps(**job, old.steps, from);
      anew.pins = parts_.intake.pins(**job);
    } catch (const base::Error& error) {
      return answer(error);
    }
    anew.retry_of = old.run.run;
    anew.key.clear();
    anew.from_inbox = false;
    anew.submitted_by = caller.name;
    anew.submitted_at = parts_.clock.now();
    parts_.store.allocate_runs(1, [this, anew = std::move(anew), from, caller,
                                   answer = std::move(answer)](Result<std::vector<model::RunId>> ids) mutable {
      if (!ids) return answer(ids.error());
      const model::RunId id = anew.run = ids->front();
      std::vector<Fact> facts;
      facts.emplace_back(
          audit(caller, "run.retry", model::text(*anew.retry_of), {{"from", from}, {"new_run", model::number(id)}}));
      facts.emplace_back(std::move(anew));
      parts_.store.append(std::move(facts), [this, id, answer = std::move(answer)](const Verdict& verdict) {
        if (verdict.kind != Verdict::committed) return answer(verdict_error(verdict));
        parts_.store.load_run(id, [this, id, answer](Result<UnfinishedRun> stored) {
          if (!stored) return answer(stored.error());
          parts_.intake.take_up(std::move(*stored), [id, answer](const Result<Nothing>& taken) {
            taken ? answer(id) : answer(taken.error());
          });
        });
      });
    });
  });
}

void Interventions::set_limit(std::string name, int permits, Caller caller, Answer<Nothing> answer) {
  if (permits < 0)
    return answer(base::refused("a limit cannot have " + std::to_string(permits) + " permits", {},
                                "give 0 to let nothing through"));
  std::vector<Fact> facts;
  facts.emplace_back(LimitSet{name, permits});
  facts.emplace_back(audit(caller, "limit.set", name, {{"permits", permits}}));
  parts_.store.append(std::move(facts), [this, name, permits, answer = std::move(answer)](const Verdict& verdict) {
    if (verdict.kind != Verdict::committed) return answer(verdict_error(verdict));
    parts_.limits.set(name, permits, Limits::Source::operator_);
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
    return answer(view(model::name(active->state()), reasons(*active, parts_.limits, parts_.store)));
  parts_.store.load_run(run, [this, run, view, answer = std::move(answer)](Result<UnfinishedRun> stored) {
    if (!stored) return answer(stored.error());
    json::array list;
    if (stored->ended) {
      list.push_back(
          json::object{{"code", "ended"}, {"text", "the run has ended; see `godwit show " + model::text(run) + "`"}});
      return answer(view(model::name(*stored->ended), std::move(list)));
    }
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
      return answer(view(model::name(model::RunState::waiting), std::move(list)));
    }
    list.push_back(
        json::object{{"code", "active_runs"},
                     {"text", "waits in the store for room among the runs in memory (engine.active_runs_max)"}});
    answer(view(model::name(model::RunState::queued), std::move(list)));
  });
}

}  // namespace godwit::engine
