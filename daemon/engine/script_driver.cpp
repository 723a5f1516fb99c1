#include "engine/script_driver.hpp"

#include "base/json_text.hpp"
#include "engine/script_steps.hpp"
#include "engine/script_waits.hpp"
#include "engine/shaping.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

// So often a machine may be lost with a process that others killed before it is taken for the cause.
constexpr int kLossesMax = 5;

model::script::RecordedStep recorded_step(const StepDone& done) {
  return {done.path, done.state, done.args_hash, done.output, done.failure, done.finished_at, done.line};
}

// Whether a path is that of one of the loop's items `from` to `to`, or below it.
bool is_item(const std::string& path, const std::string& loop, std::uint64_t from, std::uint64_t to) {
  if (path.size() < loop.size() + 3 || !path.starts_with(loop) || path[loop.size()] != '[') return false;
  std::uint64_t index = 0;
  std::size_t at = loop.size() + 1;
  for (; at < path.size() && path[at] >= '0' && path[at] <= '9'; ++at)
    index = index * 10 + static_cast<std::uint64_t>(path[at] - '0');
  return at > loop.size() + 1 && at < path.size() && path[at] == ']' && index >= from && index <= to;
}

// Whether a path is that of folded items of the loop, "days[0..999]".
bool is_fold(const std::string& path, const std::string& loop) {
  return path.starts_with(loop + "[") && path.find("..", loop.size()) != std::string::npos && path.back() == ']';
}

LogLevel level_of(const std::string& name) {
  for (std::size_t i = 0; i < kLogLevels.size(); ++i)
    if (kLogLevels[i] == name) return static_cast<LogLevel>(i);
  return LogLevel::info;
}

}  // namespace

// The end whose step this is; empty for the run's own.
std::string_view of_ending(std::string_view path) {
  for (const auto ending : model::kEndings)
    if (path.starts_with(ending) && path.substr(ending.size()).starts_with('/')) return ending;
  return {};
}

std::string mismatch_text(const model::script::End& end) {
  std::string why = "the script does not go the way that is recorded: step " + end.path + " is recorded";
  const auto* line = end.requested.if_contains("line");
  if (!line) return why + ", but the script ended without asking for it";
  return why + ", but " + std::string(end.requested.at("file").as_string()) + ":" +
         std::to_string(line->to_number<std::int64_t>()) + " asks for " +
         std::string(end.requested.at("path").as_string());
}

ScriptStart script_start(const CompiledJob& job, const Submitted& record,
                         std::vector<model::script::RecordedStep> recorded) {
  // A run that continues another one goes on as that.
  std::int64_t id = model::number(record.run);
  base::Instant submitted_at = record.submitted_at;
  if (!record.options.empty()) {
    const auto options = base::parse_json(record.options);
    if (const auto* origin = options.as_object().if_contains("origin")) {
      id = origin->at("run").to_number<std::int64_t>();
      submitted_at = base::from_microseconds(origin->at("submitted_at_us").to_number<std::int64_t>());
    }
  }
  ScriptStart start;
  start.budget = job.job().script->budget;
  start.bundle = std::shared_ptr<const std::string>(job.shared(), &job.job().text);
  start.facts = {id,
                 record.job,
                 record.version,
                 record.params,
                 std::to_string(id) + ":" + std::to_string(base::to_microseconds(submitted_at)),
                 submitted_at};
  start.recorded = std::move(recorded);
  return start;
}

std::vector<model::script::RecordedStep> script_history(const Recorded& recorded) {
  std::vector<model::script::RecordedStep> history;
  history.reserve(recorded.steps.size() + recorded.cursors.size());
  for (const auto& [path, value] : recorded.cursors) {
    const json::value folded = base::parse_json(value);
    history.push_back({std::string(folded.at("path").as_string()), {}, 0, base::serialize(folded.at("value")), {}, {}, {}});
  }
  for (const StepDone& done : recorded.steps) history.push_back(recorded_step(done));
  return history;
}

ScriptDriver::~ScriptDriver() {
  if (machine_ != 0) job_->scripts()->drop(machine_);
}

void ScriptDriver::start(RunControl& control, Recorded recorded) {
  control_ = &control;
  history_ = script_history(recorded);
  steps_done_ = static_cast<std::int64_t>(history_.size());
  boot();
}

void ScriptDriver::boot() {
  pending_.clear();
  for (auto& [path, handed] : handed_) handed.number = 0;
  loops_.clear();
  end_.reset();
  expected_ = 1;
  // A script's end is a script of its own, below its name.
  std::vector<model::script::RecordedStep> own;
  for (const auto& step : history_)
    if (of_ending(step.path) == ending_) own.push_back(step);
  auto start = script_start(*job_, control_->record(), std::move(own));
  start.facts.ending = ending_;
  start.facts.outcome = outcome_;
  machine_ = job_->scripts()->start(std::move(start), *this);
}

bool ScriptDriver::has_closing(const Outcome& outcome) const {
  return job_->job().script->endings[static_cast<std::size_t>(ending_of(outcome.state))];
}

void ScriptDriver::begin_closing(const Outcome& outcome) {
  if (machine_ != 0) job_->scripts()->drop(machine_);
  handed_.clear();
  ending_ = model::name(ending_of(outcome.state));
  outcome_ = base::serialize(outcome_view(outcome));
  boot();
}

void ScriptDriver::lost(model::Failure why, bool guilty) {
  machine_ = 0;
  expected_ = 0;
  if (guilty || ++losses_ > kLossesMax) {
    control_->fail(std::move(why), {});
    return control_->wake();
  }
  boot();
}

void ScriptDriver::output(model::script::Output output) {
  if (!output.more) --expected_;
  for (auto& note : output.notes) record(std::move(note));
  for (const std::uint64_t number : output.cancelled) {
    std::erase_if(pending_, [&](const Request& request) { return request.number == number; });
    std::string path;
    for (auto& [known, handed] : handed_)
      if (handed.number == number) path = known, handed.unwanted = true;
    if (!path.empty()) control_->cancel(path);
  }
  for (auto& request : output.requests) on_request(std::move(request));
  for (const auto& lock : output.released) control_->release_lock(lock.path, lock.name);
  for (auto& line : output.logs) control_->log(level_of(line.level), std::move(line.text), std::move(line.fields));
  if (!output.progress.empty()) control_->show_fields(base::parse_json(output.progress).as_object());
  for (auto& loop : output.loops) {
    const auto known = std::find_if(loops_.begin(), loops_.end(), [&](const auto& it) { return it.path == loop.path; });
    if (known == loops_.end()) {
      loops_.push_back(std::move(loop));
    } else {
      *known = std::move(loop);
    }
  }
  if (!output.loops.empty()) control_->progressed();
  if (output.end) on_end(std::move(*output.end));
  control_->wake();
}

void ScriptDriver::record(model::script::Note note) {
  const model::RunId run = control_->record().run;
  std::vector<Fact> facts;
  if (note.folds) {
    CursorMoved cursor{.run = run, .path = note.replaces ? note.loop + "[..]" : note.path};
    cursor.value = "{\"path\":" + base::serialize(note.path) + ",\"value\":" + note.output + "}";
    fold(note, cursor);
    facts.emplace_back(std::move(cursor));
  } else {
    StepDone done{.run = run,
                  .path = std::move(note.path),
                  .args_hash = note.hash,
                  .output = std::move(note.output),
                  .line = std::move(note.line)};
    done.started_at = done.finished_at = control_->next_end();
    for (auto& row : note.rows) done.emitted.push_back({std::move(row.topic), std::move(row.row)});
    history_.push_back(recorded_step(done));
    ++steps_done_;
    facts.emplace_back(std::move(done));
  }
  control_->append(std::move(facts), [this](const Verdict& verdict) {
    if (verdict.kind != Verdict::refused) return;
    control_->fail({"store_refused", "what the script recorded cannot be stored: " + verdict.message, false, {}}, {});
    control_->wake();
  });
}

void ScriptDriver::fold(const model::script::Note& note, CursorMoved& cursor) {
  for (std::uint64_t i = note.from; i <= note.to; ++i)
    cursor.folded.push_back(note.loop + "[" + std::to_string(i) + "]");
  std::erase_if(history_, [&](const model::script::RecordedStep& step) {
    return is_item(step.path, note.loop, note.from, note.to) || (note.replaces && is_fold(step.path, note.loop));
  });
  history_.push_back({note.path, {}, 0, note.output, {}, {}, {}});
}

void ScriptDriver::on_request(Request request) {
  const auto handed = handed_.find(request.path);
  // The runner is at it already: the machine was made anew meanwhile.
  if (handed != handed_.end()) {
    handed->second.number = request.number;
    return;
  }
  pending_.push_back(std::move(request));
}

void ScriptDriver::on_end(model::script::End end) {
  machine_ = 0;
  pending_.clear();
  end_ = std::move(end);
  switch (end_->kind) {
    case model::script::End::Kind::succeeded:
      return;
    case model::script::End::Kind::failed:
      return control_->fail(end_->failure, end_->path);
    case model::script::End::Kind::mismatch:
      return control_->block(mismatch_text(*end_), end_->path,
                             json::object{{"recorded", end_->recorded}, {"requested", end_->requested}});
  }
}

std::optional<StepRequest> ScriptDriver::next() {
  // Asked again after a mismatch: a person let the run go on, so the script may have another try.
  if (end_ && end_->kind == model::script::End::Kind::mismatch) boot();
  while (!pending_.empty()) {
    auto request = request_for(pending_.front());
    if (!request) return std::nullopt;  // blocked; it stays where it is
    pending_.pop_front();
    return request;
  }
  return std::nullopt;
}

std::optional<StepRequest> ScriptDriver::request_for(const Request& asked) {
  StepRequest request{.path = asked.path,
                      .input = asked.input,
                      .args_hash = asked.hash,
                      .line = asked.file + ":" + std::to_string(asked.line)};
  Handed handed{.number = asked.number};
  if (asked.kind == "lock") handed.lock = asked.uses;
  static const auto kPlain = std::make_shared<const StepPolicy>(StepPolicy{.fails_run = false});
  request.policy = kPlain;
  try {
    request.work = work_of(asked, request, handed);
    const auto* call = std::get_if<CallWork>(&request.work);
    if (call && !call->callable) return std::nullopt;
  } catch (const base::Error& error) {
    request.failure = model::Failure{
        "bad_step", std::string(error.what()) + " (" + request.line + ")", false, {}};
  }
  handed_[asked.path] = std::move(handed);
  return request;
}

StepWork ScriptDriver::work_of(const Request& asked, StepRequest& request, Handed& handed) {
  const bool call = asked.kind == "call";
  if (!call && asked.kind != "sql") return script_wait(asked, control_->now());
  handed.step = job_->script_steps().step(call ? asked.uses : "sql.exec", asked.options);
  const CompiledStage& stage = handed.step->graph().stages().front();
  request.policy = stage.policy;
  // Names are made by the script; an amount may look at the call's input.
  if (!stage.uses.empty()) {
    expression::Scope scope;
    const json::value item = base::parse_json(request.input);
    scope.set("params", params());
    scope.set("item", item);
    request.own_limits = render_uses(stage.uses, handed.step->language(), scope);
  }
  for (const auto& [limit, count] : request.limits().take) control_->check_limit(limit, count);
  if (!call) return script_wait(asked, control_->now());
  CallWork work{control_->resolve(asked.uses, asked.path)};
  if (work.callable && stage.env) {
    expression::Scope scope;
    auto input = base::parse_json(request.input);
    scope.set("params", params());
    scope.set("item", input);
    request.input = base::serialize(with_env(input, stage, *work.callable, handed.step->language(), scope));
  }
  return work;
}

const json::value& ScriptDriver::params() {
  if (!params_) params_ = base::parse_json(control_->record().params);
  return *params_;
}

void ScriptDriver::shape(const StepRequest& request, StepSucceeded& success) {
  const auto handed = handed_.find(request.path);
  if (handed == handed_.end() || !handed->second.step) return;
  const CompiledJob& step = *handed->second.step;
  const CompiledStage& stage = step.graph().stages().front();
  if (!stage.output && !stage.emit_rows) return;
  expression::Scope scope;
  const json::value item = base::parse_json(request.input);
  scope.set("params", params());
  scope.set("item", item);
  shape_output(stage, step.language(), scope, success);
}

void ScriptDriver::settling(const StepRequest& request, const StepDone& done, std::vector<Fact>&) {
  if (const auto handed = handed_.find(request.path); handed != handed_.end())
    handed->second.done = recorded_step(done);
}

void ScriptDriver::recorded(const StepRequest& request, model::StepState state) {
  const auto found = handed_.find(request.path);
  if (found == handed_.end()) return;
  Handed handed = std::move(found->second);
  handed_.erase(found);
  ++steps_done_;
  if (state == model::StepState::failed) ++steps_failed_;
  if (handed.unwanted && !handed.lock.empty()) control_->release_lock(request.path, handed.lock);
  auto& done = handed.done;
  if (state != done.state) {  // the store refused what was to be recorded, and a failure stands there instead
    done.state = state;
    done.output.clear();
    done.failure = model::Failure{"store_refused", "the output cannot be stored", false, {}};
  }
  history_.push_back(done);
  control_->progressed();
  if (machine_ == 0 || handed.number == 0) return;
  ++expected_;
  job_->scripts()->answer(machine_, handed.number, {done.state, done.output, done.failure, done.at});
}

bool ScriptDriver::done() const {
  return end_ && end_->kind != model::script::End::Kind::mismatch;
}

json::object ScriptDriver::progress() const {
  std::int64_t done = steps_done_, total = steps_done_ + static_cast<std::int64_t>(handed_.size() + pending_.size());
  std::int64_t failed = steps_failed_;
  json::array stages;
  for (const auto& loop : loops_) {
    if (loop.path.find('/') != std::string::npos) continue;  // of an item; its own loop tells enough
    const bool over = loop.finished == loop.total;
    stages.push_back(json::object{{"name", loop.path},
                                  {"state", over ? "done" : "running"},
                                  {"total", loop.total},
                                  {"done", loop.finished},
                                  {"failed", loop.failed}});
    done = std::max(done, static_cast<std::int64_t>(loop.finished));
    total = std::max(total, static_cast<std::int64_t>(loop.total));
  }
  return {{"done", done}, {"total", std::max(done, total)}, {"failed", failed}, {"stages", std::move(stages)}};
}

}  // namespace godwit::engine
