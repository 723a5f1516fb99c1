#include "engine/graph_driver.hpp"

#include "base/digest.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

// Where a step's data stand in the vectors and maps of its stage.
std::int64_t slot(StepRef step) {
  return step.item == StepRef::kSingle ? 0 : step.item;
}

SqlWork statement_of(const json::value& input) {
  const auto* arguments = input.if_object();
  const auto* statement = arguments ? arguments->if_contains("statement") : nullptr;
  if (!statement || !statement->is_string()) throw base::refused("sql.exec needs a `statement`, as text");
  SqlWork work{std::string(statement->as_string()), {}};
  if (const auto* parameters = arguments->if_contains("parameters")) {
    if (!parameters->is_array()) throw base::refused("the `parameters` of sql.exec must be a list: $1 is the first");
    for (const auto& parameter : parameters->as_array()) work.parameters.push_back(json::serialize(parameter));
  }
  for (const auto& member : *arguments)
    if (member.key() != "statement" && member.key() != "parameters")
      throw base::refused("sql.exec knows `statement` and `parameters`, not '" + std::string(member.key()) + "'");
  return work;
}

model::Failure expression_failure(const base::Error& error) {
  return {"expression", error.what(), false, {}};
}

}  // namespace

GraphDriver::GraphDriver(const Submitted& record, std::shared_ptr<const CompiledJob> job)
    : job_(std::move(job)), plan_(job_->new_plan()), stages_(job_->stages().size()) {
  params_ = base::parse_json(record.params);
  about_ = json::object{{"id", model::number(record.run)},
                        {"job", record.job},
                        {"submitted_at", base::format_instant(record.submitted_at)}};
  scope_.set("params", params_);
  scope_.set("run", about_);
}

bool GraphDriver::wants_output(const std::string& path) const {
  const auto parsed = job_->parse_path(path);
  return parsed && (parsed->list || job_->stages()[parsed->step.stage].output_wanted);
}

void GraphDriver::start(RunControl& control, Recorded recorded) {
  control_ = &control;
  recorded_ = std::move(recorded.steps);
}

std::optional<StepRequest> GraphDriver::next() {
  std::optional<StepRequest> skip;
  stopped_ = false;
  while (open_next(skip))
    if (skip) return skip;
  if (stopped_) return std::nullopt;
  const auto step = plan_.next_step();
  return step ? std::optional(request_for(*step)) : std::nullopt;
}

bool GraphDriver::open_next(std::optional<StepRequest>& skip) {
  const auto stage = plan_.next_to_open();
  if (!stage) return false;
  const std::string& name = job_->stages()[*stage].spec->name;
  try {
    open_stage(*stage, skip);
  } catch (const base::Error& error) {
    stopped_ = true;
    control_->fail(expression_failure(error), name);
  } catch (const std::logic_error& error) {
    stopped_ = true;
    control_->block(std::string("what is recorded does not fit the job: ") + error.what(), name);
  }
  return !stopped_;
}

// Opening a stage decides what its steps are; the decision is recorded, so that a later life does not decide otherwise.
void GraphDriver::open_stage(std::size_t index, std::optional<StepRequest>& skip) {
  if (open_recorded(index)) return;
  const CompiledJob::Stage& stage = job_->stages()[index];
  if (stage.when) {
    const auto value = job_->language().evaluate(*stage.when, scope_);
    if (value.is_null() || (value.is_bool() && !value.as_bool())) {
      stages_[index].skipped = true;
      skip = StepRequest{.ref = plan_.open_taken(index),
                         .path = stage.spec->name,
                         .work = ValueWork{model::StepState::skipped},
                         .policy = stage.policy};
      return;
    }
  }
  if (!resolve(index)) return;
  if (stage.foreach) return open_list(index);
  stages_[index].outputs.resize(stage.output_wanted ? 1 : 0);
  plan_.open(index);
  restore(index);
}

// Opens a stage as an earlier life decided; false when none did.
bool GraphDriver::open_recorded(std::size_t index) {
  const CompiledJob::Stage& stage = job_->stages()[index];
  const std::string list = job_->list_path(index);
  StageData& data = stages_[index];
  for (const auto& done : recorded_) {
    if (done.path == stage.spec->name && done.state == model::StepState::skipped) {
      data.skipped = true;
      plan_.open(index);
    } else if (done.path == list) {
      data.items = base::parse_json(done.output).as_array();
      if (!resolve(index)) return true;
      data.outputs.resize(stage.output_wanted ? data.items.size() : 0);
      plan_.open(index, static_cast<std::int64_t>(data.items.size()), stage.spec->parallel);
    } else {
      continue;
    }
    restore(index);
    return true;
  }
  return false;
}

void GraphDriver::open_list(std::size_t index) {
  const CompiledJob::Stage& stage = job_->stages()[index];
  auto value = job_->language().evaluate(*stage.foreach, scope_);
  // An empty Lua table may have come as an object; it is the empty list here.
  if (value.is_object() && value.as_object().empty()) value = json::array();
  if (!value.is_array())
    throw base::refused("foreach needs a list, and got " + std::string(json::to_string(value.kind())),
                        stage.foreach->source().place);
  StageData& data = stages_[index];
  data.items = std::move(value.as_array());
  data.outputs.resize(stage.output_wanted ? data.items.size() : 0);
  StepDone list{.run = control_->record().run,
                .path = job_->list_path(index),
                .started_at = control_->now(),
                .finished_at = control_->now()};
  list.output = json::serialize(data.items);
  std::vector<Fact> facts;
  facts.emplace_back(std::move(list));
  control_->append(std::move(facts));
  plan_.open(index, static_cast<std::int64_t>(data.items.size()), stage.spec->parallel);
  if (data.items.empty()) publish(index);
  control_->progressed();
}

void GraphDriver::restore(std::size_t index) {
  StageData& data = stages_[index];
  for (auto& done : recorded_) {
    const auto parsed = job_->parse_path(done.path);
    if (!parsed || parsed->list || parsed->step.stage != index) continue;
    const std::int64_t item = slot(parsed->step);
    if (done.state != model::StepState::succeeded) data.not_succeeded[item] = done.state;
    if (done.failure) data.failures[item] = *done.failure;
    // The earlier life recorded what fails the run and did not come to record its end.
    if (done.state == model::StepState::failed && job_->stages()[index].policy->fails_run && !stopped_) {
      stopped_ = true;
      control_->fail(*done.failure, done.path);
    }
    if (static_cast<std::size_t>(item) < data.outputs.size())
      data.outputs[static_cast<std::size_t>(item)] = std::move(done.output);
    plan_.finished(parsed->step, done.state);
  }
  if (plan_.phase(index) == Plan::Phase::done) publish(index);
}

bool GraphDriver::resolve(std::size_t index) {
  const model::Stage& spec = *job_->stages()[index].spec;
  StageData& data = stages_[index];
  if (spec.kind != model::StageKind::call) return true;
  if (!data.callable) data.callable = control_->resolve(spec.uses, spec.name);
  stopped_ = !data.callable;
  return !stopped_;
}

void GraphDriver::set_item(expression::Scope& scope, StepRef step, const json::value& index) const {
  if (step.item == StepRef::kSingle) return;
  scope.set("item", stages_[step.stage].items[static_cast<std::size_t>(step.item)]);
  scope.set("index", index);
}

StepRequest GraphDriver::request_for(StepRef step) {
  const CompiledJob::Stage& stage = job_->stages()[step.stage];
  StepRequest request{.ref = step, .path = job_->path(step), .policy = stage.policy};
  if (stage.spec->kind == model::StageKind::call && stage.with->is_constant()) {
    request.work = CallWork{stages_[step.stage].callable};
    request.input = stage.with->constant_text();
    request.args_hash = stage.constant_hash;
    return request;
  }
  expression::Scope scope(&scope_);
  const json::value index = step.item;
  set_item(scope, step, index);
  try {
    render_input(stage, scope, request);
    request.work = work_for(step.stage, scope, *request.input_value);
  } catch (const base::Error& error) {
    request.failure = model::Failure{"bad_input", error.what(), false, {}};
  }
  return request;
}

void GraphDriver::render_input(const CompiledJob::Stage& stage, const expression::Scope& scope,
                               StepRequest& request) const {
  request.input_value = job_->language().render(*stage.with, scope);
  request.input = json::serialize(*request.input_value);
  request.args_hash = base::sha256_prefix(request.input);
}

StepWork GraphDriver::work_for(std::size_t index, const expression::Scope& scope, const json::value& input) const {
  const CompiledJob::Stage& stage = job_->stages()[index];
  switch (stage.spec->kind) {
    case model::StageKind::call:
      return CallWork{stages_[index].callable};
    case model::StageKind::statement:
      return statement_of(input);
    case model::StageKind::child:
      return ChildWork{stage.spec->uses, stage.spec->timeout};
    default:
      return wait_for(stage, job_->language().render(*stage.wait, scope));
  }
}

StepWork GraphDriver::wait_for(const CompiledJob::Stage& stage, const json::value& what) const {
  const model::Stage& spec = *stage.spec;
  const std::string text = what.is_null()     ? ""
                           : what.is_string() ? std::string(what.as_string())
                                              : json::serialize(what);
  switch (spec.kind) {
    case model::StageKind::signal:
      return SignalWork{text, spec.timeout, !spec.wait.goes_on};
    case model::StageKind::approval:
      return ApprovalWork{text, spec.wait.who, spec.timeout, spec.wait.reminder, !spec.wait.goes_on};
    default:
      break;
  }
  if (const auto duration = base::parse_duration(text)) return SleepWork{control_->now() + *duration};
  if (const auto instant = base::parse_instant(text)) return SleepWork{*instant};
  throw base::refused("'" + text + "' is neither a duration nor an instant", spec.wait.what.place,
                      "48h, or 2026-05-01T08:00:00Z");
}

void GraphDriver::shape(const StepRequest& request, StepSucceeded& success) {
  const CompiledJob::Stage& stage = job_->stages()[request.ref.stage];
  if (!stage.output && !stage.emit_rows) return;
  expression::Scope scope(&scope_);
  const json::value output = base::parse_json(success.output);
  const json::value index = request.ref.item;
  scope.set("output", output);
  set_item(scope, request.ref, index);
  if (stage.emit_rows) {
    const json::value rows = job_->language().render(*stage.emit_rows, scope);
    const std::string& topic = stage.spec->emit->to;
    if (const auto* list = rows.if_array()) {
      for (const auto& row : *list) success.emitted.push_back({topic, json::serialize(row)});
    } else if (!rows.is_null()) {
      success.emitted.push_back({topic, json::serialize(rows)});
    }
  }
  if (stage.output) success.output = json::serialize(job_->language().render(*stage.output, scope));
}

void GraphDriver::settling(const StepRequest& request, const StepDone& done, std::vector<Fact>&) {
  StageData& data = stages_[request.ref.stage];
  const std::int64_t item = slot(request.ref);
  if (static_cast<std::size_t>(item) < data.outputs.size()) data.outputs[static_cast<std::size_t>(item)] = done.output;
  if (done.state != model::StepState::succeeded) data.not_succeeded[item] = done.state;
  if (done.failure) data.failures[item] = *done.failure;
}

bool GraphDriver::is_last(const StepRequest& request) {
  if (!plan_.is_last(request.ref)) return false;
  publish(request.ref.stage);
  return true;
}

void GraphDriver::recorded(const StepRequest& request, model::StepState state) {
  const std::size_t stage = request.ref.stage;
  plan_.finished(request.ref, state);
  if (plan_.phase(stage) != Plan::Phase::done) return;
  try {
    publish(stage);
  } catch (const base::Error& error) {
    control_->fail({"internal", error.what(), false, {}}, job_->stages()[stage].spec->name);
  }
}

std::string GraphDriver::result() {
  if (const auto* result = job_->result())
    return result->is_constant() ? result->constant_text() : json::serialize(job_->language().render(*result, scope_));
  return json::serialize(stages_.back().value);
}

// Makes stages.<name> known to expressions; for a stage that is done and whose outputs are wanted.
void GraphDriver::publish(std::size_t index) {
  StageData& stage = stages_[index];
  const CompiledJob::Stage& compiled = job_->stages()[index];
  if (!compiled.output_wanted || std::exchange(stage.published, true)) return;
  if (stage.skipped)
    stage.value = nullptr;
  else if (compiled.foreach)
    stage.value = list_value(index);
  else
    stage.value =
        stage.outputs.empty() || stage.outputs[0].empty() ? json::value() : base::parse_json(stage.outputs[0]);
  stage.outputs = {};
  scope_.set_member("stages", compiled.spec->name, stage.value);
}

json::value GraphDriver::list_value(std::size_t index) const {
  const StageData& stage = stages_[index];
  const bool skip_failed = job_->stages()[index].spec->on_item_error == model::OnItemError::skip;
  json::array items;
  for (std::size_t i = 0; i < stage.items.size(); ++i) {
    const auto item = static_cast<std::int64_t>(i);
    const auto other = stage.not_succeeded.find(item);
    if (other != stage.not_succeeded.end() && skip_failed) continue;
    json::object entry{{"item", stage.items[i]}, {"index", item}};
    entry["state"] = model::name(other == stage.not_succeeded.end() ? model::StepState::succeeded : other->second);
    entry["output"] = stage.outputs[i].empty() ? json::value() : base::parse_json(stage.outputs[i]);
    const auto why = stage.failures.find(item);
    entry["error"] = why == stage.failures.end()
                         ? json::value()
                         : json::object{{"code", why->second.code}, {"message", why->second.message}};
    items.push_back(std::move(entry));
  }
  // Counted here and not taken from the plan: the last step is not recorded yet when the run's result is made with it.
  const auto others = stage.not_succeeded.size();
  return json::object{{"count", stage.items.size()},
                      {"succeeded", stage.items.size() - others},
                      {"failed", others},
                      {"items", std::move(items)}};
}

std::string_view GraphDriver::state_of(std::size_t stage) const {
  switch (plan_.phase(stage)) {
    case Plan::Phase::pending:
      return "pending";
    case Plan::Phase::open:
      return "running";
    case Plan::Phase::done:
      return stages_[stage].skipped ? "skipped" : "done";
  }
  return "";
}

json::object GraphDriver::progress() const {
  std::int64_t done = 0, total = 0, failed = 0;
  json::array stages;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const auto& counts = plan_.counts(i);
    done += counts.finished();
    failed += counts.failed;
    total += plan_.phase(i) == Plan::Phase::pending ? 1 : counts.total;
    stages.push_back(json::object{{"name", job_->stages()[i].spec->name},
                                  {"state", state_of(i)},
                                  {"done", counts.finished()},
                                  {"total", counts.total},
                                  {"failed", counts.failed},
                                  {"in_flight", counts.in_flight}});
  }
  return {{"done", done}, {"total", total}, {"failed", failed}, {"stages", std::move(stages)}};
}

}  // namespace godwit::engine
