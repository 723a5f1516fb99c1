#include "engine/migrations.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/json_text.hpp"
#include "engine/dry_control.hpp"
#include "engine/script_driver.hpp"
#include "engine/script_rehearsal.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

constexpr std::size_t kShownMax = 100;
constexpr std::array<std::string_view, 5> kWaits{"a sleep", "a wait for a signal", "a wait for a decision",
                                                 "a run of another job", "a wait for a lock"};

std::optional<WaitKind> wait_kind(const StepWork& work) {
  if (std::holds_alternative<SleepWork>(work)) return WaitKind::sleep;
  if (std::holds_alternative<SignalWork>(work)) return WaitKind::signal;
  if (std::holds_alternative<ApprovalWork>(work)) return WaitKind::approval;
  if (std::holds_alternative<ChildWork>(work)) return WaitKind::child;
  if (std::holds_alternative<LockWork>(work)) return WaitKind::lock;
  return std::nullopt;
}

// Why a step that waits would never go on as what the other version asks for; empty when it would. What a step waits
// for is decided when it begins to.
std::string other_wait(const StepRequest& request, const std::map<std::string, UnfinishedRun::Wait>& waits) {
  const auto text = [](WaitKind kind) { return std::string(kWaits[static_cast<std::size_t>(kind)]); };
  const auto wait = waits.find(request.path);
  const auto kind = wait_kind(request.work);
  if (wait == waits.end() || !kind || *kind == wait->second.opened.kind) return {};
  return request.path + " has begun as " + text(wait->second.opened.kind) + " and is " + text(*kind) +
         " in that version; give that stage another name";
}

// Whether two stages do the same to get their outputs; when and how often they try is another matter.
bool is_same_work(const model::Stage& one, const model::Stage& other) {
  const auto source = [](const auto& expression) { return expression ? expression->source : std::string(); };
  const auto value = [](const auto& shape) { return shape ? shape->value : json::value(); };
  return one.name == other.name && one.kind == other.kind && one.uses == other.uses &&
         one.with.value == other.with.value && one.env.value == other.env.value &&
         one.wait.what.value == other.wait.what.value && source(one.foreach) == source(other.foreach) &&
         value(one.output) == value(other.output) &&
         std::equal(one.stages.begin(), one.stages.end(), other.stages.begin(), other.stages.end(), is_same_work);
}

// The stages that have begun and would do something else in the other version. Their steps that have ended, or wait,
// stay what they are.
json::array changed_stages(const model::Job& from, const model::Job& to, const UnfinishedRun& stored) {
  std::set<std::string> begun;
  const auto add = [&](const std::string& path) { begun.insert(path.substr(0, path.find_first_of("[/"))); };
  for (const auto& step : stored.steps) add(step.path);
  for (const auto& [path, wait] : stored.waits) add(path);
  json::array changed;
  for (const auto& stage : from.stages) {
    const auto other = std::find_if(to.stages.begin(), to.stages.end(),
                                    [&](const model::Stage& candidate) { return candidate.name == stage.name; });
    if (begun.contains(stage.name) && other != to.stages.end() && !is_same_work(stage, *other))
      changed.emplace_back(stage.name);
  }
  return changed;
}

}  // namespace

void Migrations::migrate(model::RunId run, std::string to, bool dry, Caller caller, Answer<json::object> answer) {
  const auto move = std::make_shared<Move>(Move{run, std::move(to), dry, std::move(caller), std::move(answer)});
  parts_.intake.with_run(run, [this, move](ActiveRun*) { refuses(*move) ? void() : look(move); });
}

// Whether steps of the run are under way, which is answered then: what is executed by one version cannot be recorded by
// another.
bool Migrations::refuses(const Move& move) const {
  const ActiveRun* active = parts_.runner.find(move.run);
  if (!active || active->is_still()) return false;
  move.answer(base::refused("steps of run " + model::text(move.run) + " are under way", {},
                            "pause it, and wait until they have ended"));
  return true;
}

void Migrations::look(const std::shared_ptr<Move>& move) {
  parts_.store.load_run(move->run, [this, move](Result<UnfinishedRun> stored) {
    if (!stored) return move->answer(stored.error());
    if (stored->ended)
      return move->answer(base::refused("run " + model::text(move->run) + " has already ended", {},
                                        "`godwit retry` continues it with its own version"));
    const auto found = [this, move, stored = *stored](Result<std::shared_ptr<const CompiledJob>> job) {
      if (!job) return move->answer(job.error());
      compare(move, stored, *job);
    };
    try {
      if (move->to == "latest") return found(parts_.jobs.compile(parts_.library.find(stored->run.job)));
    } catch (const base::Error& error) {
      return move->answer(error);
    }
    parts_.jobs.load(move->to, found);
  });
}

void Migrations::compare(const std::shared_ptr<Move>& move, UnfinishedRun stored,
                         std::shared_ptr<const CompiledJob> job) {
  if (job->job().name != stored.run.job)
    return move->answer(base::refused("that is a version of job '" + job->job().name + "', the run is of job '" +
                                      stored.run.job + "'"));
  json::object report;
  try {
    job->parameters().check(base::parse_json(stored.run.params).as_object());
    if (!job->job().script) report = replay(stored, job);
  } catch (const base::Error& error) {
    return move->answer(error);
  }
  job->job().script ? rehearse(move, std::move(stored), std::move(job)) : decide(move, *job, std::move(report));
}

void Migrations::decide(const std::shared_ptr<Move>& move, const CompiledJob& job, json::object report) {
  const bool fits = report.at("problem").is_null() && report.at("unknown").as_array().empty();
  if (move->dry || !fits) return move->answer(std::move(report));
  // It went on while it was looked at.
  if (refuses(*move)) return;
  change(move, job, std::move(report));
}

json::object Migrations::new_report(const UnfinishedRun& stored, const CompiledJob& job) {
  return {{"from", stored.run.version}, {"to", job.job().version}, {"done", false}, {"unknown", json::array()}};
}

// What a script asks for is known only while it runs, in a process of its own.
void Migrations::rehearse(const std::shared_ptr<Move>& move, UnfinishedRun stored,
                          std::shared_ptr<const CompiledJob> job) {
  if (stored.output_omitted.empty()) return rehearse_with_outputs(move, std::move(stored), std::move(job));
  auto missing = stored.output_omitted;
  parts_.store.read_outputs(move->run, std::move(missing),
                            [this, move, stored = std::move(stored),
                             job = std::move(job)](Result<std::map<std::string, std::string>> outputs) mutable {
                              if (!outputs) return move->answer(outputs.error());
                              for (auto& step : stored.steps)
                                if (const auto found = outputs->find(step.path); found != outputs->end())
                                  step.output = std::move(found->second);
                              rehearse_with_outputs(move, std::move(stored), std::move(job));
                            });
}

void Migrations::rehearse_with_outputs(const std::shared_ptr<Move>& move, UnfinishedRun stored,
                                       std::shared_ptr<const CompiledJob> job) {
  auto report = new_report(stored, *job);
  auto history = script_history({std::move(stored.steps), std::move(stored.cursors)});
  const auto said = [this, move, job, report = std::move(report)](ScriptRehearsal::Report found) mutable {
    json::array next;
    for (const auto& path : found.next)
      if (next.size() < kShownMax) next.emplace_back(path);
    report["next"] = std::move(next);
    report["problem"] = found.problem.empty() ? json::value() : json::value(found.problem);
    if (!found.recorded.empty()) {
      // What is recorded was so by the version that the run has now.
      found.recorded["version"] = report.at("from");
      report["recorded"] = std::move(found.recorded);
      report["requested"] = std::move(found.requested);
    }
    // Not from inside of what runs scripts.
    parts_.clock.post([this, move, job, report = std::move(report)]() mutable {
      decide(move, *job, std::move(report));
    });
  };
  Submitted record = std::move(stored.run);
  record.version = job->job().version;
  ScriptRehearsal::begin(*job->scripts(), script_start(*job, record, std::move(history)), said);
}

// Looks at the recorded steps through the other version: nothing is executed, nothing is stored.
json::object Migrations::replay(UnfinishedRun stored, const std::shared_ptr<const CompiledJob>& job) const {
  auto report = new_report(stored, *job);
  if (const ActiveRun* active = parts_.runner.find(stored.run.run))
    report["changed"] = changed_stages(active->job->job(), job->job(), stored);
  stored.run.version = job->job().version;
  json::array unknown, next;
  std::string problem;
  const ActiveRun run(std::move(stored.run), job);
  for (const auto& step : stored.steps)
    if (!run.driver->knows(step.path) && unknown.size() < kShownMax) unknown.emplace_back(step.path);
  DryControl control(run.record, parts_.steps, parts_.clock.now());
  run.driver->start(control, {std::move(stored.steps), std::move(stored.cursors)});
  while (next.size() < kShownMax && control.problem().empty()) {
    const auto request = run.driver->next();
    if (!request) break;
    next.emplace_back(request->path);
    if (problem.empty()) problem = other_wait(*request, stored.waits);
  }
  if (problem.empty()) problem = control.problem();
  report["unknown"] = std::move(unknown);
  report["next"] = std::move(next);
  report["problem"] = problem.empty() ? json::value() : json::value(problem);
  return report;
}

void Migrations::change(const std::shared_ptr<Move>& move, const CompiledJob& job, json::object report) {
  std::vector<Fact> facts;
  std::string pins;
  try {
    pins = parts_.intake.pins(job);
  } catch (const base::Error& error) {
    return move->answer(error);
  }
  if (auto version = parts_.jobs.to_store(job)) facts.emplace_back(std::move(*version));
  const auto now = parts_.clock.now();
  facts.emplace_back(RunChanged{.run = move->run,
                                .change = RunChange::migrated,
                                .who = move->caller.name,
                                .detail = migration_text(job.job().version, pins),
                                .at = now});
  facts.emplace_back(RunChanged{.run = move->run, .change = RunChange::unblocked, .who = move->caller.name, .at = now});
  facts.emplace_back(Audited{move->caller.uid, move->caller.name, "run.migrate", model::text(move->run),
                             base::serialize(json::object{{"to", job.job().version}}), now});
  report["done"] = true;
  // From here to the answer the run is nowhere, and what comes for it waits.
  if (ActiveRun* active = parts_.runner.find(move->run)) parts_.runner.put_away(*active);
  parts_.intake.expect(move->run);
  parts_.store.append(std::move(facts), [this, move, report = std::move(report)](const Verdict& verdict) {
    if (verdict.kind == Verdict::fenced)
      return move->answer(base::Error(base::ErrorKind::unavailable, "another daemon took this node's place"));
    parts_.intake.take_up(move->run, [move, report, verdict](const Result<Nothing>& taken) {
      if (verdict.kind != Verdict::committed)
        return move->answer(base::refused("the change cannot be stored: " + verdict.message));
      taken ? move->answer(report) : move->answer(taken.error());
    });
  });
}

}  // namespace godwit::engine
