#include "engine/graph_frame.hpp"

#include "base/digest.hpp"
#include "base/json_text.hpp"
#include "engine/shaping.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

// Where a step's data stand in the vectors and maps of its stage.
std::int64_t slot(StepRef step) {
  return step.item == StepRef::kSingle ? 0 : step.item;
}

model::Failure expression_failure(const base::Error& error) {
  return {"expression", error.what(), false, {}};
}

// An empty Lua table may have come as an object; where a list is wanted it is the empty list.
json::array list_of(json::value value, const char* what, const base::Place& place) {
  if (value.is_object() && value.as_object().empty()) value = json::array();
  if (!value.is_array())
    throw base::refused(std::string(what) + " needs a list, and got " + std::string(json::to_string(value.kind())),
                        place);
  return std::move(value.as_array());
}

}  // namespace

GraphFrame::GraphFrame(std::shared_ptr<const CompiledJob> job, const CompiledGraph& graph, std::string prefix,
                       RunControl& control, const GraphFrame* parent)
    : job_(std::move(job)),
      graph_(graph),
      prefix_(std::move(prefix)),
      control_(control),
      inner_(parent != nullptr),
      plan_(graph.new_plan()),
      stages_(graph.stages().size()),
      scope_(parent ? &parent->scope_ : nullptr) {
  for (std::size_t i = 0; i < stages_.size(); ++i) stages_[i].wanted = graph.stages()[i].output_wanted;
  if (!parent) return;
  show_stages_of(*parent);
}

// `stages` of this frame hides that of another, so what is known there is shown here too.
void GraphFrame::show_stages_of(const GraphFrame& other) {
  if (const auto* outer = other.scope_.find("stages"))
    for (const auto& [name, value] : outer->members) scope_.set_member("stages", name, *value);
}

void GraphFrame::set_item(json::value item, std::int64_t index) {
  item_ = std::move(item);
  index_ = index;
  scope_.set("item", item_);
  scope_.set("index", index_);
}

void GraphFrame::leave_out(std::vector<bool> stages) {
  left_out_ = std::move(stages);
  // The result of such a run is what its last stage gives.
  for (std::size_t i = stages_.size(); i-- > 0;)
    if (!left_out_[i]) {
      stages_[i].wanted = true;
      return;
    }
}

void GraphFrame::add_recorded(StepDone done) {
  const auto parsed = graph_.parse(std::string_view(done.path).substr(prefix_.size()));
  if (parsed) stages_[parsed->ref.stage].recorded.push_back(std::move(done));
}

void GraphFrame::fail(model::Failure failure, const std::string& path) {
  stopped_ = true;
  if (!inner_) return control_.fail(std::move(failure), path);
  if (failure_) return;
  failure.message = path + ": " + failure.message;
  failure.retryable = false;
  failure_ = std::move(failure);
}

GraphFrame::Next GraphFrame::next() {
  if (failure_) return {};
  stopped_ = false;
  std::optional<StepRequest> skip;
  while (open_next(skip))
    if (skip) return {std::move(skip), {}};
  if (stopped_) return {};
  const auto step = plan_.next_step();
  if (!step) return {};
  if (stage(*step).body) return {{}, step};
  return {request_for(*step), {}};
}

bool GraphFrame::open_next(std::optional<StepRequest>& skip) {
  const auto stage = plan_.next_to_open();
  if (!stage) return false;
  const std::string path = prefix_ + graph_.stages()[*stage].spec->name;
  try {
    open_stage(*stage, skip);
  } catch (const base::Error& error) {
    fail(expression_failure(error), path);
  } catch (const std::logic_error& error) {
    stopped_ = true;
    control_.block(std::string("what is recorded does not fit the job: ") + error.what(), path);
  }
  return !stopped_;
}

// Opening a stage decides what its steps are; the decision is recorded, so that a later life does not decide otherwise.
void GraphFrame::open_stage(std::size_t index, std::optional<StepRequest>& skip) {
  if (open_recorded(index)) return;
  const CompiledStage& stage = graph_.stages()[index];
  bool skipped = !left_out_.empty() && left_out_[index];
  if (!skipped && stage.when) {
    const auto value = language().evaluate(*stage.when, scope_);
    skipped = value.is_null() || (value.is_bool() && !value.as_bool());
  }
  if (skipped) {
    stages_[index].skipped = true;
    skip = StepRequest{.ref = plan_.open_taken(index),
                       .path = prefix_ + stage.spec->name,
                       .work = ValueWork{model::StepState::skipped},
                       .policy = stage.policy};
    return;
  }
  if (!resolve(index)) return;
  if (stage.foreach) return open_list(index);
  stages_[index].outputs.resize(stages_[index].wanted ? 1 : 0);
  plan_.open(index);
  restore(index);
}

// Opens a stage as an earlier life decided; false when none did.
bool GraphFrame::open_recorded(std::size_t index) {
  StageData& data = stages_[index];
  for (const auto& done : data.recorded) {
    const auto parsed = graph_.parse(std::string_view(done.path).substr(prefix_.size()));
    if (parsed->kind == CompiledGraph::Parsed::list) {
      if (!resolve(index)) return true;
      take_items(index, base::parse_json(done.output).as_array(), 0);
      restore_growth(index);
      open_items(index);
    } else if (done.state == model::StepState::skipped && parsed->ref.item == StepRef::kSingle) {
      data.skipped = true;
      plan_.open(index);
    } else {
      continue;
    }
    restore(index);
    return true;
  }
  return false;
}

void GraphFrame::open_list(std::size_t index) {
  const CompiledStage& stage = graph_.stages()[index];
  take_items(index, list_of(language().evaluate(*stage.foreach, scope_), "foreach", stage.foreach->source().place), 0);
  append_list(index);
  open_items(index);
  if (stages_[index].items.empty()) publish(index);
  control_.progressed();
}

void GraphFrame::open_items(std::size_t index) {
  StageData& data = stages_[index];
  data.outputs.resize(data.wanted ? data.items.size() : 0);
  plan_.open(index, static_cast<std::int64_t>(data.items.size()), graph_.stages()[index].spec->parallel);
}

void GraphFrame::append_list(std::size_t index) {
  StepDone list{.run = control_.record().run,
                .path = prefix_ + graph_.list_path(index),
                .started_at = control_.now(),
                .finished_at = control_.now()};
  list.output = base::serialize(stages_[index].items);
  std::vector<Fact> facts;
  facts.emplace_back(std::move(list));
  control_.append(std::move(facts));
}

void GraphFrame::restore(std::size_t index) {
  StageData& data = stages_[index];
  for (auto& done : std::exchange(data.recorded, {})) {
    const auto parsed = graph_.parse(std::string_view(done.path).substr(prefix_.size()));
    if (parsed->kind != CompiledGraph::Parsed::step) continue;
    const std::int64_t item = slot(parsed->ref);
    if (done.state != model::StepState::succeeded) data.not_succeeded[item] = done.state;
    if (done.failure) data.failures[item] = *done.failure;
    // The earlier life recorded what fails the run and did not come to record its end.
    if (done.state == model::StepState::failed && graph_.stages()[index].fatal && !stopped_)
      fail(*done.failure, done.path);
    if (static_cast<std::size_t>(item) < data.outputs.size())
      data.outputs[static_cast<std::size_t>(item)] = std::move(done.output);
    plan_.finished(parsed->ref, done.state);
  }
  if (plan_.phase(index) == Plan::Phase::done) publish(index);
}

void GraphFrame::show_recorded() {
  for (std::size_t i = 0; i < stages_.size(); ++i)
    if (plan_.phase(i) == Plan::Phase::pending && !stages_[i].recorded.empty()) show_recorded(i);
}

void GraphFrame::show_recorded(std::size_t index) {
  StageData& data = stages_[index];
  const bool list = graph_.stages()[index].foreach != nullptr;
  for (const auto& done : data.recorded)
    if (graph_.parse(std::string_view(done.path).substr(prefix_.size()))->kind == CompiledGraph::Parsed::list)
      take_items(index, base::parse_json(done.output).as_array(), 0);
  restore_growth(index);
  data.outputs.resize(list ? data.items.size() : 1);
  std::size_t finished = 0;
  for (auto& done : std::exchange(data.recorded, {})) {
    const auto parsed = graph_.parse(std::string_view(done.path).substr(prefix_.size()));
    if (parsed->kind != CompiledGraph::Parsed::step) continue;
    const std::int64_t item = slot(parsed->ref);
    if (done.state == model::StepState::skipped && parsed->ref.item == StepRef::kSingle) data.skipped = true;
    if (done.state != model::StepState::succeeded) data.not_succeeded[item] = done.state;
    if (done.failure) data.failures[item] = *done.failure;
    if (static_cast<std::size_t>(item) < data.outputs.size())
      data.outputs[static_cast<std::size_t>(item)] = std::move(done.output);
    ++finished;
  }
  if (data.skipped || finished == data.outputs.size()) publish(index);
}

bool GraphFrame::resolve(std::size_t index) {
  const model::Stage& spec = *graph_.stages()[index].spec;
  StageData& data = stages_[index];
  if (spec.kind != model::StageKind::call || !spec.stages.empty()) return true;
  if (!data.callable) data.callable = control_.resolve(spec.uses, prefix_ + spec.name);
  stopped_ = !data.callable;
  return !stopped_;
}

void GraphFrame::shape(const StepRequest& request, StepSucceeded& success) {
  const CompiledStage& compiled = stage(request.ref);
  if (!compiled.output && !compiled.emit_rows) return;
  expression::Scope scope(&scope_);
  const json::value index = request.ref.item;
  show_item(scope, request.ref, index);
  shape_output(compiled, language(), scope, success);
}

void GraphFrame::settling(const StepRequest& request, const StepDone& done, std::vector<Fact>& more) {
  StageData& data = stages_[request.ref.stage];
  const std::int64_t item = slot(request.ref);
  if (static_cast<std::size_t>(item) < data.outputs.size()) data.outputs[static_cast<std::size_t>(item)] = done.output;
  if (done.state != model::StepState::succeeded) data.not_succeeded[item] = done.state;
  if (done.failure) data.failures[item] = *done.failure;
  if (stage(request.ref).grow && done.state == model::StepState::succeeded) grow(request, done, more);
  // What was locked for an item is free when the item is done.
  if (const auto& body = stage(request.ref).body)
    for (const auto& inner : body->stages())
      if (inner.spec->kind == model::StageKind::lock)
        more.emplace_back(LockReleased{done.run, request.path + "/" + inner.spec->name, {}});
}

void GraphFrame::recorded(StepRef step, model::StepState state) {
  StageData& data = stages_[step.stage];
  if (const auto added = data.growing.extract(step.item); !added.empty()) plan_.grow(step.stage, added.mapped());
  plan_.finished(step, state);
  if (state == model::StepState::failed && inner_ && stage(step).fatal) fail(data.failures.at(slot(step)), path(step));
  if (plan_.phase(step.stage) != Plan::Phase::done) return;
  try {
    publish(step.stage);
  } catch (const base::Error& error) {
    fail({"internal", error.what(), false, {}}, path(step));
  }
}

bool GraphFrame::is_last(StepRef step) {
  if (!plan_.is_last(step) || stage(step).grow) return false;
  try {
    publish(step.stage);
    return true;
  } catch (const base::Error&) {
    // Told by recorded(), once the step is.
    return false;
  }
}

std::string GraphFrame::last_output() const {
  for (std::size_t i = stages_.size(); i-- > 0;)
    if (left_out_.empty() || !left_out_[i]) return base::serialize(stages_[i].value);
  return "null";
}

StepRequest GraphFrame::item_request(StepRef item, const GraphFrame& body) const {
  const CompiledStage& compiled = stage(item);
  StepRequest request{.ref = item, .path = path(item), .work = ValueWork{}, .policy = compiled.policy};
  request.failure = body.failure_;
  if (request.failure) return request;
  try {
    request.input =
        compiled.output ? base::serialize(language().render(*compiled.output, body.scope_)) : body.last_output();
  } catch (const base::Error& error) {
    request.failure = expression_failure(error);
  }
  return request;
}

// Makes stages.<name> known to expressions; for a stage that is done and whose outputs are wanted.
void GraphFrame::publish(std::size_t index) {
  StageData& data = stages_[index];
  const CompiledStage& compiled = graph_.stages()[index];
  if (!data.wanted || data.published) return;
  if (data.skipped)
    data.value = nullptr;
  else if (compiled.foreach)
    data.value = list_value(index);
  else
    data.value = data.outputs.empty() || data.outputs[0].empty() ? json::value() : base::parse_json(data.outputs[0]);
  data.published = true;
  data.outputs = {};
  scope_.set_member("stages", compiled.spec->name, data.value);
}

json::value GraphFrame::list_value(std::size_t index) const {
  const StageData& data = stages_[index];
  const bool skip_failed = graph_.stages()[index].spec->on_item_error == model::OnItemError::skip;
  json::array items;
  for (std::size_t i = 0; i < data.items.size(); ++i) {
    const auto item = static_cast<std::int64_t>(i);
    const auto other = data.not_succeeded.find(item);
    if (other != data.not_succeeded.end() && skip_failed) continue;
    json::object entry{{"item", data.items[i]}, {"index", item}};
    entry["state"] = model::name(other == data.not_succeeded.end() ? model::StepState::succeeded : other->second);
    entry["output"] = data.outputs[i].empty() ? json::value() : base::parse_json(data.outputs[i]);
    const auto why = data.failures.find(item);
    entry["error"] = why == data.failures.end()
                         ? json::value()
                         : json::object{{"code", why->second.code}, {"message", why->second.message}};
    items.push_back(std::move(entry));
  }
  // Counted here and not taken from the plan: the last step is not recorded yet when the run's result is made with it.
  const auto others = data.not_succeeded.size();
  return json::object{{"count", data.items.size()},
                      {"succeeded", data.items.size() - others},
                      {"failed", others},
                      {"items", std::move(items)}};
}

std::string_view GraphFrame::state_of(std::size_t stage) const {
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

GraphFrame::Counts GraphFrame::show(json::array& stages) const {
  Counts sum;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const auto& counts = plan_.counts(i);
    sum.done += counts.finished();
    sum.failed += counts.failed;
    sum.total += plan_.phase(i) == Plan::Phase::pending ? 1 : counts.total;
    stages.push_back(json::object{{"name", prefix_ + graph_.stages()[i].spec->name},
                                  {"state", state_of(i)},
                                  {"done", counts.finished()},
                                  {"total", counts.total},
                                  {"failed", counts.failed},
                                  {"in_flight", counts.in_flight}});
  }
  return sum;
}

}  // namespace godwit::engine
