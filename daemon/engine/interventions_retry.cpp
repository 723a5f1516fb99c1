// The part of Interventions that lets a run go on, or continues one that has ended.
#include "base/json_text.hpp"
#include "engine/continuation.hpp"
#include "engine/interventions.hpp"

namespace godwit::engine {

namespace json = base::json;

void Interventions::retry(model::RunId run, Engine::Retry how, Caller caller, Answer<model::RunId> answer) {
  parts_.intake.with_run(run, [this, run, how = std::move(how), caller = std::move(caller),
                               answer = std::move(answer)](ActiveRun* active) {
    active ? retry_active(*active, how, caller, answer) : retry_stored(run, how, caller, answer);
  });
}

void Interventions::retry_active(const ActiveRun& active, const Engine::Retry& how, const Caller& caller,
                                 Answer<model::RunId> answer) {
  const model::RunId run = active.id();
  if (active.blocked.empty() || !how.empty())
    return answer(
        base::refused("run " + model::text(run) + " has not ended; cancel it first to run a part of it again"));
  change(
      run, RunChange::unblocked, caller, "run.retry",
      [this](ActiveRun* unblocked) {
        if (unblocked) parts_.runner.unblock(*unblocked);
      },
      [run, answer](const Result<Nothing>& done) { done ? answer(run) : answer(done.error()); });
}

void Interventions::retry_stored(model::RunId run, Engine::Retry how, Caller caller, Answer<model::RunId> answer) {
  parts_.store.load_run(
      run, [this, run, how = std::move(how), caller, answer = std::move(answer)](Result<UnfinishedRun> stored) {
        if (!stored) return answer(stored.error());
        if (stored->ended) return continue_anew(std::move(*stored), how, caller, answer);
        if (stored->blocked.empty() || !how.empty())
          return answer(
              base::refused("run " + model::text(run) + " has not ended; cancel it first to run a part of it again"));
        // Blocked without being in memory: its version could not be used. The next start, or this, tries again.
        change(
            run, RunChange::unblocked, caller, "run.retry", [](ActiveRun*) {},
            [this, run, answer](const Result<Nothing>& done) {
              if (!done) return answer(done.error());
              parts_.intake.take_up(run, [run, answer](const Result<Nothing>& taken) {
                taken ? answer(run) : answer(taken.error());
              });
            });
      });
}

void Interventions::continue_anew(UnfinishedRun old, Engine::Retry how, Caller caller, Answer<model::RunId> answer) {
  if (*old.ended == model::RunState::succeeded && how.empty())
    return answer(base::refused("run " + model::text(old.run.run) + " succeeded", {},
                                "name the step to begin with: --from STEP"));
  const std::string version = old.run.version;
  parts_.jobs.load(version, [this, old = std::move(old), how = std::move(how), caller,
                             answer = std::move(answer)](Result<std::shared_ptr<const CompiledJob>> job) mutable {
    if (!job) return answer(job.error());
    Submitted anew = old.run;
    std::vector<Fact> steps;
    try {
      const Continuation continuation(**job, old, how);
      anew.copied_steps = continuation.kept();
      anew.options = continuation.options();
      anew.params = continuation.params(anew.params);
      steps = continuation.given(parts_.clock.now());
      anew.pins = parts_.intake.pins(**job);
    } catch (const base::Error& error) {
      return answer(error);
    }
    anew.retry_of = old.run.run;
    anew.key.clear();
    anew.unique.clear();
    anew.parent.reset();
    anew.from_inbox = false;
    anew.submitted_by = caller.name;
    anew.submitted_at = parts_.clock.now();
    json::object detail{{"from", how.from}};
    if (!how.set.empty()) detail["set"] = json::value_from(how.set);
    if (!how.skip.empty()) detail["skip"] = json::value_from(how.skip);
    store_continuation(std::move(anew), std::move(steps),
                       audit(caller, "run.retry", model::text(old.run.run), std::move(detail)), std::move(answer));
  });
}

void Interventions::store_continuation(Submitted anew, std::vector<Fact> steps, Audited audited,
                                       Answer<model::RunId> answer) {
  parts_.store.allocate_runs(1, [this, anew = std::move(anew), steps = std::move(steps), audited = std::move(audited),
                                 answer = std::move(answer)](Result<std::vector<model::RunId>> ids) mutable {
    if (!ids) return answer(ids.error());
    const model::RunId id = anew.run = ids->front();
    auto detail = base::parse_json(audited.detail).as_object();
    detail["new_run"] = model::number(id);
    audited.detail = base::serialize(detail);
    std::vector<Fact> facts;
    facts.emplace_back(std::move(audited));
    facts.emplace_back(std::move(anew));
    for (auto& step : steps) {
      if (auto* done = std::get_if<StepDone>(&step)) done->run = id;
      if (auto* cursor = std::get_if<CursorMoved>(&step)) cursor->run = id;
      if (auto* attempt = std::get_if<AttemptStarted>(&step)) attempt->run = id;
      facts.push_back(std::move(step));
    }
    parts_.store.append(std::move(facts), [this, id, answer = std::move(answer)](const Verdict& verdict) {
      if (verdict.kind != Verdict::committed) return answer(verdict_error(verdict));
      parts_.intake.take_up(id, [id, answer](const Result<Nothing>& taken) {
        taken ? answer(id) : answer(taken.error());
      });
    });
  });
}

}  // namespace godwit::engine
