#include "engine/intake.hpp"

#include "base/json_text.hpp"
#include "base/log.hpp"
#include "base/suggest.hpp"
#include "engine/countdown.hpp"
#include "engine/progress.hpp"
#include "jobfile/place_finder.hpp"
#include "jobfile/stage_reader.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

constexpr std::size_t kPage = 512;  // stored runs loaded at once
constexpr std::size_t kAhead = 512;  // runs in memory that wait to begin
// So much room in memory, half a page or this part of all, is worth a query at once; less is worth one a moment later.
constexpr std::size_t kRoomPart = 8;
constexpr auto kRoomPause = std::chrono::milliseconds(100);
constexpr std::size_t kCheckedMax = 1000;
constexpr std::size_t kKeySizeMax = 1000;  // bytes; an index holds keys
constexpr std::string_view kNodeLabel = "node.";

// Whether a node with these labels is one that the run asks for by its labels node.*.
bool has_labels(const Submitted& run, const std::map<std::string, std::string>& labels) {
  if (run.options.find(kNodeLabel) == std::string::npos) return true;
  const auto options = base::parse_json(run.options).as_object();
  const auto* asked = options.if_contains("labels");
  if (!asked) return true;
  for (const auto& label : asked->as_object()) {
    const std::string_view name = label.key();
    if (!name.starts_with(kNodeLabel)) continue;
    const auto found = labels.find(std::string(name.substr(kNodeLabel.size())));
    if (found == labels.end() || std::string_view(label.value().as_string()) != found->second) return false;
  }
  return true;
}

void check_key(const std::string& key) {
  if (key.size() <= kKeySizeMax) return;
  throw base::refused(
      "the key has " + std::to_string(key.size()) + " bytes, and at most " + std::to_string(kKeySizeMax) + " are kept",
      {.path = "key"}, "a hash of it does as well");
}

Outcome outcome_from(const std::string& text) {
  const auto value = base::parse_json(text);
  const json::object& object = value.as_object();
  Outcome outcome;
  outcome.state = model::parse_run_state(std::string_view(object.at("state").as_string())).value();
  outcome.result = std::string(object.at("result").as_string());
  outcome.failed_path = std::string(object.at("path").as_string());
  if (const auto* next = object.if_contains("next")) outcome.next_params = std::string(next->as_string());
  if (const auto* failure = object.if_contains("failure"))
    outcome.failure = model::Failure{
        std::string(failure->at("code").as_string()), std::string(failure->at("message").as_string()), false, {}};
  return outcome;
}

// Of a path that begins in what stands at `path`.
std::string path_below(const std::string& path, const std::string& inner) {
  return inner.empty() || inner.front() == '[' ? path + inner : base::below(path, inner);
}

}  // namespace

void Intake::start(std::function<void()> ready) {
  load_resting();
  refilling_ = true;
  load_ranked({}, [this, ready = std::move(ready)] {
    parts_.store.load_unfinished(cursor_, std::min(kPage * 2, active_max_),
                                 [this, ready, look = looks_.begin()](Result<std::vector<UnfinishedRun>> loaded) {
                                   on_loaded(std::move(loaded), look, [this, ready] {
                                     started_ = true;
                                     ready();
                                     refill();
                                     const auto read = [this] {
                                       read_inbox();
                                       read_signals();
                                     };
                                     parts_.store.watch_inbox(read);
                                     // What came while nobody watched rings no more.
                                     read();
                                   });
                                 });
  });
}

void Intake::refill() {
  let_in();
  watch_crowds();
  if (!may_refill()) return;
  if (useful_room() >= std::min(kPage / 2, std::max<std::size_t>(1, active_max_ / kRoomPart))) return load_more();
  if (std::exchange(refill_due_, true)) return;
  parts_.clock.at(parts_.clock.tick() + kRoomPause, [this] {
    refill_due_ = false;
    if (may_refill()) load_more();
  });
}

bool Intake::may_refill() const {
  return !stopped_ && !draining_ && !refilling_ && releases_ == 0 && more_in_store_ && started_ && useful_room() > 0 &&
         !crowds_.is_full();
}

std::size_t Intake::useful_room() const {
  return std::min(room(), kAhead - std::min(kAhead, parts_.runner.fresh_in_line() + entering_.size()));
}

void Intake::load_more() {
  refilling_ = true;
  stored_meanwhile_ = false;
  parts_.store.load_unfinished(cursor_, std::min(kPage, useful_room()),
                               [this, look = looks_.begin()](Result<std::vector<UnfinishedRun>> loaded) {
                                 on_loaded(std::move(loaded), look, [this] { refill(); });
                               });
}

void Intake::on_loaded(Result<std::vector<UnfinishedRun>> loaded, const Looks::Look& look, std::function<void()> done) {
  if (!loaded) {
    refilling_ = false;
    for (auto& work : std::exchange(after_refill_, {})) work();
    base::log::warning("unfinished runs were not loaded: {}", loaded.error().what());
    return done();
  }
  if (loaded->empty() && !stored_meanwhile_) more_in_store_ = false;
  auto countdown = std::make_shared<Countdown>(loaded->size() + 1, [this, done = std::move(done)] {
    refilling_ = false;
    for (auto& work : std::exchange(after_refill_, {})) work();
    done();
  });
  for (auto& run : *loaded) {
    cursor_ = std::max(cursor_, run.run.run);
    plain_since_ = std::max(plain_since_, run.run.submitted_at);
    const model::RunId id = run.run.run;
    if (parts_.runner.find(id) || entering_.contains(id) || looks_.is_old(look, id)) {
      countdown->arrived();
      continue;
    }
    if (!belongs_here(run.run)) {
      release(id);
      countdown->arrived();
      continue;
    }
    if (crowds_.contains(run.run) && run.is_as_submitted()) {
      parts_.queues.add(id, rank(run.run), run.run.submitted_at);
      countdown->arrived();
      continue;
    }
    expect(id);
    bring(std::move(run), look, [this, id, countdown](const Result<Nothing>&) {
      arrived(id);
      countdown->arrived();
    });
  }
  countdown->arrived();
}

bool Intake::belongs_here(const Submitted& run) const {
  return !parts_.cluster || (!draining_ && has_labels(run, parts_.labels));
}

void Intake::take_up(model::RunId run, Answer<Nothing> answer) {
  expect(run);
  parts_.store.load_run(run, [this, run, look = looks_.begin(),
                              answer = std::move(answer)](Result<UnfinishedRun> stored) {
    const auto done = [this, run, answer](const Result<Nothing>& at_work) {
      arrived(run);
      answer(at_work);
    };
    if (!stored) return done(stored.error());
    if (stored->ended) return done(base::refused("run " + model::text(run) + " has already ended"));
    parts_.queues.forget(run, rank(stored->run));
    displaced_.erase(run);
    bring(std::move(*stored), look, done);
  });
}

void Intake::arrived(model::RunId run) {
  const auto waiting = entering_.extract(run);
  if (waiting.empty()) return;
  for (auto& work : waiting.mapped()) work(parts_.runner.find(run));
}

void Intake::bring(UnfinishedRun run, Looks::Look look, Answer<Nothing> answer) {
  const std::string version = run.run.version;
  parts_.jobs.load(version, [this, run = std::move(run), look = std::move(look),
                             answer = std::move(answer)](Result<std::shared_ptr<const CompiledJob>> job) mutable {
    if (!job) {
      block_stored(run, "version " + run.run.version.substr(0, 12) + " of job '" + run.run.job +
                            "' cannot be used: " + job.error().what());
      return answer(job.error());
    }
    std::shared_ptr<ActiveRun> active;
    try {
      active = std::make_shared<ActiveRun>(std::move(run.run), std::move(*job));
    } catch (const std::exception& error) {
      const auto why = std::string("what is stored of it cannot be read: ") + error.what();
      block_stored(run, why);
      return answer(base::refused(why));
    }
    std::vector<std::string> missing;
    for (const auto& path : run.output_omitted)
      if (active->driver->wants_output(path)) missing.push_back(path);
    if (missing.empty()) return put_to_work(std::move(active), std::move(run), look, std::move(answer));
    const model::RunId id = active->id();
    parts_.store.read_outputs(id, std::move(missing),
                              [this, run = std::move(run), active = std::move(active), look,
                               answer = std::move(answer)](Result<std::map<std::string, std::string>> outputs) mutable {
                                if (!outputs) return answer(outputs.error());
                                for (auto& step : run.steps)
                                  if (const auto found = outputs->find(step.path); found != outputs->end())
                                    step.output = std::move(found->second);
                                put_to_work(std::move(active), std::move(run), look, std::move(answer));
                              });
  });
}

void Intake::put_to_work(std::shared_ptr<ActiveRun> run, UnfinishedRun stored, const Looks::Look& look,
                         Answer<Nothing> answer) {
  if (parts_.runner.find(run->id()) || looks_.is_old(look, run->id())) return answer(Nothing{});
  declare_limits(*run, words_on_limits(run->job->job()));
  run->touched = !stored.steps.empty() || !stored.attempts.empty() || !stored.waits.empty();
  run->noted = run->touched;
  for (const auto& step : stored.steps) run->last_end = std::max(run->last_end, step.finished_at);
  run->recorded = {std::move(stored.steps), std::move(stored.cursors)};
  run->attempts = std::move(stored.attempts);
  run->waits = std::move(stored.waits);
  run->signals = std::move(stored.signals);
  run->paused = stored.paused;
  run->cancelling = stored.cancel_requested;
  run->cancelled_by = std::move(stored.cancelled_by);
  if (!stored.closing.empty()) {
    // What was asked before the end began is part of it.
    run->closing = outcome_from(stored.closing);
    run->cancelling = false;
  }
  run->blocked = stored.blocked;
  run->blocked_path = stored.blocked_path;
  std::vector<std::string> doubtful;
  for (const auto& [path, attempts] : run->attempts)
    if (attempts.in_doubt) doubtful.push_back(path);
  ActiveRun& active = *run;
  displaced_.erase(active.id());
  parts_.queues.enter(active.id(), rank(active.record));
  if (!doubtful.empty() && active.blocked.empty() && !active.cancelling)
    parts_.runner.block(
        active,
        unknown_outcome(active.id(), doubtful,
                        active.record.retry_of ? "run " + model::text(*active.record.retry_of) + " ended in mid-call"
                                               : "the daemon ended in mid-call"),
        doubtful.front());
  // Nothing of it begins on a node that is to drain.
  active.leaving = draining_;
  parts_.runner.take_up(std::move(run));
  answer(Nothing{});
}

void Intake::block_stored(const UnfinishedRun& run, const std::string& why) {
  base::log::error("run {} is blocked: {}", model::text(run.run.run), why);
  if (!run.blocked.empty()) return;
  std::vector<Fact> facts;
  facts.emplace_back(RunChanged{run.run.run, RunChange::blocked, "godwitd", why, {}, parts_.clock.now()});
  parts_.store.append(std::move(facts), [](const Verdict&) {});
}

std::string Intake::pins(const CompiledJob& job) const {
  json::object pins;
  // Which methods a script calls is known only when it does; so all that is installed is pinned.
  if (job.job().script) {
    const auto installed = parts_.steps.installed();
    pins["*"] = json::object{{"versions", json::value_from(installed.versions)},
                             {"providers", json::value_from(installed.providers)}};
    return base::serialize(pins);
  }
  job.each_stage([&](const CompiledStage& stage) {
    if (stage.body || stage.spec->kind != model::StageKind::call) return;
    const auto callable = parts_.steps.resolve(stage.spec->uses);
    pins[stage.spec->uses] =
        json::object{{"callable", callable->name}, {"plugin", callable->plugin}, {"version", callable->version}};
  });
  return base::serialize(pins);
}

std::vector<base::Error::Problem> Intake::call_problems(const CompiledStage& stage) const {
  const auto callable = parts_.steps.resolve(stage.spec->uses);
  if (callable->args_schema.empty()) return {};
  const jobfile::InputSchema schema(callable->args_schema, callable->name);
  try {
    schema.check(stage.spec->with);
    return {};
  } catch (const base::Error& error) {
    const std::string with = stage.spec->place.path + ".with";
    auto problems = error.problems();
    for (auto& problem : problems) problem.place.path = path_below(with, problem.place.path);
    return problems;
  }
}

std::vector<base::Error::Problem> Intake::limit_problems(const CompiledJob& job, const CompiledStage& stage) const {
  std::vector<base::Error::Problem> problems;
  for (const auto& [name, use] : stage.spec->limits) {
    // Of a name that is only known when the step is, the template says how much there is.
    const std::string limit = use.key ? Limits::template_of(name) : name;
    // What an operator has taken away he can give back: such a run waits, as it would have, submitted a moment before.
    if (parts_.limits.set_by_operator(limit)) continue;
    const auto numbers = parts_.limits.spec_with(limit, job.job().name, job.job().limits);
    try {
      Limits::check(limit, use.count, numbers ? &*numbers : nullptr);
    } catch (const base::Error& error) {
      for (auto problem : error.problems()) {
        problem.place.path = base::below(stage.spec->place.path + ".limits", name);
        problems.push_back(std::move(problem));
      }
    }
  }
  return problems;
}

std::vector<base::Error::Problem> Intake::problems(const CompiledJob& job) const {
  std::vector<base::Error::Problem> problems;
  // Plugins do not change while the process lives, and a submit has no time for what was checked before.
  const bool known = checked_.contains(job.job().version);
  job.each_stage([&](const CompiledStage& stage) {
    if (stage.body) return;
    const auto add = [&](std::vector<base::Error::Problem> found) {
      for (auto& problem : found) problems.push_back(std::move(problem));
    };
    try {
      if (stage.spec->kind == model::StageKind::child) parts_.library.find(stage.spec->uses);
      if (stage.spec->kind == model::StageKind::call && !known) add(call_problems(stage));
    } catch (const base::Error& error) {
      for (auto problem : error.problems()) {
        problem.place.path = path_below(stage.spec->uses_place.path, problem.place.path);
        problems.push_back(std::move(problem));
      }
    }
    add(limit_problems(job, stage));
  });
  if (!problems.empty()) {
    jobfile::find_places(job.job(), problems);
    return problems;
  }
  if (checked_.size() >= kCheckedMax) checked_.clear();
  checked_.insert(job.job().version);
  return problems;
}

// A run that was stored has the numbers of its job's newest version, as it had since that was submitted: it may be that
// only an earlier life saw runs of it.
Limits::Words Intake::words_on_limits(const model::Job& job) const {
  Limits::Words words = job.limits;
  if (words.empty()) return words;
  if (const auto newest = parts_.library.look_up(job.name))
    for (auto& [name, spec] : words)
      if (const auto word = newest->limits.find(name); word != newest->limits.end()) spec = word->second;
  return words;
}

void Intake::declare_limits(ActiveRun& run, const Limits::Words& words) {
  run.limits = parts_.limits.declare(run.record.job, words);
  // A limit that was known at the submit and is gone from the settings since would leave its waiters without an answer.
  run.job->each_stage([this](const CompiledStage& stage) {
    for (const auto& [name, use] : stage.spec->limits)
      if (const auto limit = use.key ? Limits::template_of(name) : name; !parts_.limits.known(limit))
        parts_.limits.set(limit, use.count, Limits::Source::job);
  });
}

void Intake::begin_new(Submitted submitted, const std::shared_ptr<const CompiledJob>& job) {
  auto run = std::make_shared<ActiveRun>(std::move(submitted), job);
  declare_limits(*run, job->job().limits);
  parts_.runner.take_up(std::move(run));
}

Intake::Accepted Intake::accept(const SubmitRequest& request) {
  Accepted accepted;
  accepted.job = request.text.empty() ? parts_.jobs.compile(parts_.library.find(request.job))
                                      : parts_.jobs.parse(request.text, request.file);
  if (auto found = problems(*accepted.job); !found.empty())
    throw base::Error(base::ErrorKind::refused, std::move(found));
  check_stages(*accepted.job, request);
  if (!request.queue.empty() && !jobfile::is_identifier(request.queue))
    throw base::refused("'" + request.queue.substr(0, 100) + "' cannot be the name of a queue", {.path = "queue"},
                        "use letters, digits and _, and no digit first");
  accepted.pins = pins(*accepted.job);
  return accepted;
}

void Intake::check(const SubmitRequest& request) {
  accept(request).job->parameters().check(request.params);
}

void Intake::describe(Submitted& submitted, const Accepted& accepted, json::object params,
                      const SubmitRequest& request) const {
  const CompiledJob& job = *accepted.job;
  const json::value checked = job.parameters().check(std::move(params));
  submitted.job = job.job().name;
  submitted.version = job.job().version;
  submitted.params = base::serialize(checked);
  submitted.pins = accepted.pins;
  json::object options = job.options(checked);
  if (const auto* unique = options.if_contains("unique")) submitted.unique = std::string(unique->as_string());
  if (!request.only.empty()) options["only"] = json::value_from(request.only);
  if (!request.stop_after.empty()) options["stop_after"] = request.stop_after;
  if (!request.turn.empty()) options["turn"] = request.turn;
  if (!request.queue.empty()) options["queue"] = request.queue;
  if (request.priority) options["priority"] = *request.priority;
  if (!options.empty()) submitted.options = base::serialize(options);
  if (!parts_.cluster && !has_labels(submitted, parts_.labels))
    throw base::refused("the job asks for a node with other labels than this one has, and no other shares its database",
                        {}, "labels node.* of the job and node.labels of the settings must agree");
}

void Intake::check_stages(const CompiledJob& job, const SubmitRequest& request) {
  std::vector<std::string> known;
  for (const auto& stage : job.graph().stages()) known.push_back(stage.spec->name);
  std::vector<base::Error::Problem> problems;
  const auto check = [&](const std::string& name, const std::string& option) {
    if (!job.graph().find_stage(name))
      problems.push_back(
          {option + ": job '" + job.job().name + "' has no stage '" + name + "'", {}, base::suggest(name, known)});
  };
  for (const auto& name : request.only) check(name, "only");
  if (!request.stop_after.empty()) check(request.stop_after, "stop_after");
  if (!problems.empty()) throw base::Error(base::ErrorKind::refused, std::move(problems));
}

Result<SubmitReceipt> Intake::not_unique(const CompiledJob& job, const Verdict& verdict) {
  if (!verdict.existing) return SubmitReceipt{{}, true, verdict.message};
  if (!verdict.unique || !job.job().unique || !job.job().unique->refuses) return SubmitReceipt{*verdict.existing, true};
  return base::refused(
      "run " + model::text(*verdict.existing) + " of job '" + job.job().name + "' is for the same and has not ended",
      {}, "wait for its end, or cancel it");
}

std::vector<Fact> Intake::facts_of(const CompiledJob& job) const {
  std::vector<Fact> facts;
  if (auto stored = parts_.jobs.to_store(job)) facts.emplace_back(std::move(*stored));
  return facts;
}

void Intake::submit(SubmitRequest request, Caller caller, Answer<SubmitReceipt> answer) {
  std::shared_ptr<const CompiledJob> job;
  Submitted submitted;
  try {
    check_key(request.key);
    auto accepted = accept(request);
    job = accepted.job;
    describe(submitted, accepted, std::move(request.params), request);
  } catch (const base::Error& error) {
    return parts_.clock.post([answer = std::move(answer), error] { answer(error); });
  }
  submitted.key = std::move(request.key);
  submitted.submitted_by = std::move(caller.name);
  submitted.submitted_at = parts_.clock.now();
  parts_.store.allocate_runs(1, [this, job, submitted = std::move(submitted), fire = std::move(request.fire),
                                 answer = std::move(answer)](Result<std::vector<model::RunId>> ids) mutable {
    if (!ids) return answer(ids.error());
    submitted.run = ids->front();
    auto facts = facts_of(*job);
    facts.emplace_back(submitted);
    if (fire) {
      fire->run = submitted.run;
      facts.emplace_back(std::move(*fire));
    }
    parts_.store.append(std::move(facts), [this, job, submitted = std::move(submitted),
                                           answer = std::move(answer)](const Verdict& verdict) mutable {
      if (verdict.kind == Verdict::duplicate) return answer(not_unique(*job, verdict));
      if (verdict.kind == Verdict::refused)
        return answer(base::refused("the parameters cannot be stored: " + verdict.message));
      if (verdict.kind == Verdict::fenced)
        return answer(base::Error(base::ErrorKind::unavailable, "another daemon took this node's place"));
      parts_.jobs.stored(job->job().version);
      const model::RunId run = submitted.run;
      admit(std::move(submitted), job);
      answer(SubmitReceipt{run, false});
    });
  });
}

void Intake::submit_many(SubmitRequest request, std::vector<json::object> params, Caller caller,
                         Answer<std::vector<model::RunId>> answer) {
  std::shared_ptr<const CompiledJob> job;
  auto batch = std::make_shared<std::vector<Submitted>>();
  try {
    auto accepted = accept(request);
    job = accepted.job;
    const auto now = parts_.clock.now();
    if (job->job().unique && params.size() > 1)
      throw base::refused("runs of job '" + job->job().name + "' are unique, so " + std::to_string(params.size()) +
                              " cannot be submitted at once",
                          {}, "submit them one by one; of those that are for the same only the first is a new run");
    batch->reserve(params.size());
    for (auto& one : params) {
      Submitted submitted;
      describe(submitted, accepted, std::move(one), request);
      submitted.submitted_by = caller.name;
      submitted.submitted_at = now;
      batch->push_back(std::move(submitted));
    }
  } catch (const base::Error& error) {
    return parts_.clock.post([answer = std::move(answer), error] { answer(error); });
  }
  if (batch->empty()) return parts_.clock.post([answer = std::move(answer)] { answer(std::vector<model::RunId>{}); });
  parts_.store.allocate_runs(
      batch->size(), [this, job, batch, answer = std::move(answer)](Result<std::vector<model::RunId>> ids) mutable {
        if (!ids) return answer(ids.error());
        auto facts = facts_of(*job);
        for (std::size_t i = 0; i < batch->size(); ++i) {
          (*batch)[i].run = (*ids)[i];
          facts.emplace_back((*batch)[i]);
        }
        parts_.store.append(std::move(facts), [this, job, batch, ids = *ids,
                                               answer = std::move(answer)](const Verdict& verdict) {
          if (verdict.kind == Verdict::duplicate)
            return answer(base::refused("run " + model::text(*verdict.existing) + " is for the same as one of these",
                                        {}, "nothing was submitted"));
          if (verdict.kind == Verdict::refused)
            return answer(base::refused("the parameters cannot be stored: " + verdict.message));
          if (verdict.kind == Verdict::fenced)
            return answer(base::Error(base::ErrorKind::unavailable, "another daemon took this node's place"));
          parts_.jobs.stored(job->job().version);
          for (auto& submitted : *batch) admit(std::move(submitted), job);
          answer(ids);
        });
      });
}

// A run that was just stored starts at once when there is room and nobody older waits in the store.
void Intake::admit(Submitted submitted, const std::shared_ptr<const CompiledJob>& job) {
  ++submitted_;
  if (!belongs_here(submitted)) return release(submitted.run);
  // A refill may have found it in the store before this answer came.
  if (stopped_ || parts_.runner.find(submitted.run) || entering_.contains(submitted.run)) return;
  const Rank place = rank(submitted);
  if (!place.plain() && !crowds_.contains(submitted)) return wait_for_turn(std::move(submitted), place, job);
  // Numbers are not stored in their order: what the cursor has passed, no refill will find.
  const bool passed = submitted.run <= cursor_;
  if (more_in_store_ || useful_room() == 0) {
    if (passed) return wait_for_turn(std::move(submitted), place, job);
    if (!more_in_store_) plain_since_ = submitted.submitted_at;
    more_in_store_ = stored_meanwhile_ = true;
    return refill();
  }
  cursor_ = std::max(cursor_, submitted.run);
  if (!place.plain()) return wait_for_turn(std::move(submitted), place, job);
  begin_new(std::move(submitted), job);
}

}  // namespace godwit::engine
