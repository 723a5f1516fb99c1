// The part of Runner that is about the ends of runs: what they are, what is done before they are recorded, and the runs
// that go on where they end.
#include <algorithm>

#include "base/json_text.hpp"
#include "engine/progress.hpp"
#include "engine/runner.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

std::string outcome_text(const Outcome& outcome) {
  json::object text{{"state", model::name(outcome.state)}, {"result", outcome.result}, {"path", outcome.failed_path}};
  if (!outcome.next_params.empty()) text["next"] = outcome.next_params;
  if (outcome.failure)
    text["failure"] = json::object{{"code", outcome.failure->code}, {"message", outcome.failure->message}};
  return base::serialize(text);
}

}  // namespace

Outcome Runner::outcome_of(ActiveRun& run) {
  // What goes wrong at the end of a run does not change how it ended.
  if (run.closing) return *run.closing;
  if (run.cancelling && !run.failure)
    return {
        model::RunState::cancelled, {}, model::Failure{"cancelled", "cancelled by " + run.cancelled_by, false, {}}, {}};
  if (!run.failure) {
    try {
      Outcome outcome{model::RunState::succeeded, run.driver->result(), {}, {}};
      outcome.next_params = run.driver->next_params();
      return outcome;
    } catch (const base::Error& error) {
      run.failure = model::Failure{"expression", error.what(), false, {}};
      run.failed_path = "result";
    }
  }
  return {model::RunState::failed, {}, run.failure, run.failed_path};
}

RunDone Runner::make_end(ActiveRun& run) {
  Outcome outcome = outcome_of(run);
  return {.run = run.id(),
          .state = outcome.state,
          .result = std::move(outcome.result),
          .failure = std::move(outcome.failure),
          .failed_path = std::move(outcome.failed_path),
          .at = std::max(parts_.clock.now(), run.last_end),
          .parent = run.record.parent,
          .parent_elsewhere = run.record.parent && !is_here(*run.record.parent),
          .was_unique = !run.record.unique.empty(),
          .had_locks = run.job->has_locks(),
          .delete_at = delete_at(run.record, parts_.clock.now())};
}

// The steps of the end run like any others; that the end has begun is stored before the first of them.
void Runner::close(ActiveRun& run, Outcome outcome) {
  // Its children end with it, whatever its end takes.
  std::vector<Fact> facts = end_of_children(run);
  facts.emplace_back(RunChanged{.run = run.id(),
                                .change = RunChange::closing,
                                .who = "godwitd",
                                .detail = outcome_text(outcome),
                                .at = parts_.clock.now()});
  parts_.store.append(std::move(facts),
                      [this, id = run.id(), children = std::exchange(run.orphans, {})](const Verdict& verdict) {
                        if (verdict.kind == Verdict::fenced) return fenced();
                        for (const auto child : children) hooks_.children.cancel(child, id);
                        parts_.locks.run_closes(id);
                      });
  run.failure.reset();
  run.cancelling = false;
  run.closing = std::move(outcome);
  run.driver->begin_closing(*run.closing);
  advance(run);
}

void Runner::finish(ActiveRun& run) {
  if (!run.closing)
    if (auto outcome = outcome_of(run); run.driver->has_closing(outcome)) return close(run, std::move(outcome));
  run.ending = true;
  if (const auto outcome = outcome_of(run); !outcome.next_params.empty()) return continue_as(run, outcome.next_params);
  store_end(runs_.at(run.id()), std::nullopt);
}

// The next run is stored in the transaction that records this one's end.
void Runner::continue_as(ActiveRun& run, const std::string& params) {
  const auto refuse = [this](const std::shared_ptr<ActiveRun>& keep, const std::string& why) {
    keep->failure = model::Failure{"continue_refused", "it cannot continue as another run: " + why, false, {}};
    keep->closing = Outcome{model::RunState::failed, {}, keep->failure, {}};
    store_end(keep, std::nullopt);
  };
  const auto keep = runs_.at(run.id());
  if (run.record.parent)
    return refuse(keep, "run " + model::text(*run.record.parent) + " waits for the result of this one");
  hooks_.children.prepare_next(run, params, [this, keep, refuse](Result<ChildRun> next) {
    if (find(keep->id()) != keep.get()) return;
    next ? store_end(keep, std::move(*next)) : refuse(keep, next.error().what());
  });
}

void Runner::store_end(const std::shared_ptr<ActiveRun>& run, std::optional<ChildRun> next) {
  std::vector<Fact> facts = end_of_children(*run);
  RunDone done = make_end(*run);
  if (next) {
    Submitted& anew = next->submitted;
    // What is moved need not be given back.
    if (!anew.unique.empty() && anew.unique == run->record.unique && anew.job == run->record.job) {
      anew.unique_from = run->id();
      done.was_unique = false;
    }
    std::get<Submitted>(next->facts.back()) = anew;
    for (auto& fact : next->facts) facts.push_back(std::move(fact));
    const auto note = [&](model::RunId of, const std::string& text) {
      facts.emplace_back(RunChanged{
          .run = of, .change = RunChange::continued, .who = "godwitd", .detail = text, .at = parts_.clock.now()});
    };
    note(run->id(), "run " + model::text(anew.run) + " goes on from here");
    note(anew.run, "goes on from run " + model::text(run->id()));
  }
  facts.emplace_back(done);
  parts_.store.append(std::move(facts), [this, keep = run, done, next = std::move(next)](const Verdict& verdict) {
    if (verdict.kind == Verdict::fenced) return fenced();
    if (verdict.kind == Verdict::committed) {
      end(*keep, done);
      if (next) hooks_.children.admit(*next);
      return;
    }
    keep->ending = false;
    const model::Failure failure =
        verdict.kind == Verdict::duplicate
            ? model::Failure{"continue_refused",
                             "run " + model::text(*verdict.existing) + " is for the same and has not ended",
                             false,
                             {}}
            : model::Failure{"store_refused", "the result cannot be stored: " + verdict.message, false, {}};
    // When not even that it failed can be stored, to say it again would not help.
    if (done.failure && done.failure->code == failure.code)
      return on_defect(keep->id(),
                       base::Error(base::ErrorKind::failed, "its end cannot be stored: " + verdict.message));
    keep->failure = failure;
    keep->closing = Outcome{model::RunState::failed, {}, keep->failure, {}};
    finish(*keep);
  });
}

void Runner::end(ActiveRun& run, const RunDone& done) {
  if (run.noted) parts_.store.append_relaxed(ProgressNoted{run.id(), base::serialize(progress_of(run))});
  if (run.timeout_timer) parts_.clock.cancel(run.timeout_timer);
  if (run.rest_timer) parts_.clock.cancel(run.rest_timer);
  dirty_.erase(run.id());
  due_.erase(run.id());
  if (parts_.followers.watched(run.id(), Interest::states)) {
    json::object event{{"event", "state"}, {"run", model::number(run.id())}, {"state", model::name(done.state)}};
    const json::object progress = run.driver->progress();
    event["done"] = progress.at("done");
    event["total"] = progress.at("total");
    if (done.failure)
      event["error"] =
          json::object{{"code", done.failure->code}, {"message", done.failure->message}, {"path", done.failed_path}};
    if (!run.fields.empty()) event["fields"] = run.fields;
    parts_.followers.tell(run.id(), Interest::states, event);
  }
  const auto keep = runs_.at(run.id());
  runs_.erase(run.id());
  parts_.locks.run_ended(run.id());
  for (const auto child : keep->orphans) hooks_.children.cancel(child, keep->id());
  hooks_.ended(*keep, done);
}

// What the run leaves behind ends with it: its children are told in the transaction of its own end.
std::vector<Fact> Runner::end_of_children(ActiveRun& run) {
  for (const auto& [path, wait] : run.waits)
    if (wait.opened.child && !wait.child_end) run.orphans.push_back(*wait.opened.child);
  run.waits.clear();
  std::vector<Fact> facts;
  for (const auto child : run.orphans)
    facts.emplace_back(waits().cancellation(run.id(), child));
  return facts;
}

}  // namespace godwit::engine
