// The part of GraphFrame that makes requests of stages, and lists that grow.
#include "base/digest.hpp"
#include "base/json_text.hpp"
#include "engine/graph_frame.hpp"
#include "engine/shaping.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

SqlWork statement_of(const json::value& input) {
  const auto* arguments = input.if_object();
  const auto* statement = arguments ? arguments->if_contains("statement") : nullptr;
  if (!statement || !statement->is_string()) throw base::refused("sql.exec needs a `statement`, as text");
  SqlWork work{std::string(statement->as_string()), {}};
  if (const auto* parameters = arguments->if_contains("parameters")) {
    if (!parameters->is_array()) throw base::refused("the `parameters` of sql.exec must be a list: $1 is the first");
    for (const auto& parameter : parameters->as_array()) work.parameters.push_back(base::serialize(parameter));
  }
  for (const auto& member : *arguments)
    if (member.key() != "statement" && member.key() != "parameters")
      throw base::refused("sql.exec knows `statement` and `parameters`, not '" + std::string(member.key()) + "'");
  return work;
}

}  // namespace

void GraphFrame::show_item(expression::Scope& scope, StepRef step, const json::value& index) const {
  if (step.item == StepRef::kSingle) return;
  scope.set("item", item(step));
  scope.set("index", index);
}

StepRequest GraphFrame::request_for(StepRef step) {
  const CompiledStage& compiled = stage(step);
  StepRequest request{.ref = step, .path = path(step), .policy = compiled.policy};
  if (compiled.is_constant()) {
    request.work = CallWork{stages_[step.stage].callable};
    request.input = compiled.with->constant_text();
    request.args_hash = compiled.constant_hash;
    return request;
  }
  expression::Scope scope(&scope_);
  const json::value index = step.item;
  show_item(scope, step, index);
  try {
    request.input_value = render_input(step, scope);
    request.input = base::serialize(*request.input_value);
    request.args_hash = base::sha256_prefix(request.input);
    request.work = work_for(step, scope, *request.input_value);
    if (!compiled.uses.empty()) request.own_limits = render_uses(compiled.uses, language(), scope);
  } catch (const base::Error& error) {
    request.failure = model::Failure{"bad_input", error.what(), false, {}};
  }
  return request;
}

json::value GraphFrame::render_input(StepRef step, const expression::Scope& scope) const {
  const CompiledStage& compiled = stage(step);
  json::value input = language().render(*compiled.with, scope);
  const auto& callable = stages_[step.stage].callable;
  return callable ? with_env(std::move(input), compiled, *callable, language(), scope) : input;
}

StepWork GraphFrame::work_for(StepRef step, const expression::Scope& scope, const json::value& input) const {
  const CompiledStage& compiled = stage(step);
  switch (compiled.spec->kind) {
    case model::StageKind::call:
      return CallWork{stages_[step.stage].callable};
    case model::StageKind::statement:
      return statement_of(input);
    case model::StageKind::child:
      return ChildWork{compiled.spec->uses, compiled.spec->timeout};
    default:
      return wait_for(compiled, language().render(*compiled.wait, scope));
  }
}

StepWork GraphFrame::wait_for(const CompiledStage& compiled, const json::value& what) const {
  const model::Stage& spec = *compiled.spec;
  const std::string text = what.is_null()     ? ""
                           : what.is_string() ? std::string(what.as_string())
                                              : base::serialize(what);
  switch (spec.kind) {
    case model::StageKind::lock:
      return LockWork{text, spec.wait.permits, spec.timeout};
    case model::StageKind::signal:
      return SignalWork{text, spec.timeout, !spec.wait.goes_on};
    case model::StageKind::approval:
      return ApprovalWork{text, spec.wait.who, spec.timeout, spec.wait.reminder, !spec.wait.goes_on};
    default:
      break;
  }
  if (const auto duration = base::parse_duration(text)) return SleepWork{control_.now() + *duration};
  if (const auto instant = base::parse_instant(text)) return SleepWork{*instant};
  throw base::refused("'" + text + "' is neither a duration nor an instant", spec.wait.what.place,
                      "48h, or 2026-05-01T08:00:00Z");
}

// What tells the items of a growing list apart: its text, or the whole as JSON.
std::string GraphFrame::key_of(const CompiledStage& compiled, const json::value& item) const {
  if (!compiled.key) return base::serialize(item);
  expression::Scope scope(&scope_);
  scope.set("item", item);
  return base::serialize(language().evaluate(*compiled.key, scope));
}

void GraphFrame::take_items(std::size_t index, json::array items, std::int64_t depth) {
  const CompiledStage& compiled = graph_.stages()[index];
  StageData& data = stages_[index];
  if (!compiled.grow) {
    data.items = std::move(items);
    return;
  }
  const auto max = static_cast<std::size_t>(compiled.spec->grow->max);
  for (auto& item : items) {
    if (data.items.size() >= max) break;
    if (!data.keys.insert(key_of(compiled, item)).second) continue;
    data.items.push_back(std::move(item));
    data.depths.push_back(depth);
  }
}

// A step of a growing list has ended: what it adds is decided and stored with it.
void GraphFrame::grow(const StepRequest& request, const StepDone& done, std::vector<Fact>& more) {
  const CompiledStage& compiled = stage(request.ref);
  StageData& data = stages_[request.ref.stage];
  const std::int64_t depth = data.depths[static_cast<std::size_t>(request.ref.item)] + 1;
  if (depth > compiled.spec->grow->depth) return;
  const auto before = data.items.size();
  try {
    expression::Scope scope(&scope_);
    const json::value output = base::parse_json(done.output);
    const json::value index = request.ref.item;
    const json::value item = data.items[static_cast<std::size_t>(request.ref.item)];
    scope.set("output", output);
    scope.set("item", item);
    scope.set("index", index);
    auto added = language().evaluate(*compiled.grow, scope);
    if (added.is_null() || (added.is_object() && added.as_object().empty())) return;
    if (!added.is_array())
      throw base::refused("grow needs a list, and got " + std::string(json::to_string(added.kind())),
                          compiled.grow->source().place);
    take_items(request.ref.stage, std::move(added.as_array()), depth);
  } catch (const base::Error& error) {
    return fail({"expression", error.what(), false, {}}, request.path);
  }
  if (data.items.size() == before) return;
  data.growing[request.ref.item] = static_cast<std::int64_t>(data.items.size() - before);
  if (data.wanted) data.outputs.resize(data.items.size());
  StepDone growth{.run = done.run,
                  .path = prefix_ + graph_.growth_path(request.ref),
                  .started_at = done.finished_at,
                  .finished_at = done.finished_at};
  const auto first = data.items.begin() + static_cast<std::ptrdiff_t>(before);
  growth.output = base::serialize(
      json::object{{"from", before}, {"depth", depth}, {"items", json::array(first, data.items.end())}});
  more.emplace_back(std::move(growth));
}

void GraphFrame::restore_growth(std::size_t index) {
  if (!graph_.stages()[index].grow) return;
  StageData& data = stages_[index];
  std::map<std::int64_t, json::object> growths;
  for (const auto& done : data.recorded) {
    const auto parsed = graph_.parse(std::string_view(done.path).substr(prefix_.size()));
    if (parsed->kind != CompiledGraph::Parsed::growth) continue;
    auto growth = base::parse_json(done.output).as_object();
    growths[growth.at("from").to_number<std::int64_t>()] = std::move(growth);
  }
  for (auto& [from, growth] : growths) {
    if (static_cast<std::size_t>(from) != data.items.size())
      throw std::logic_error("items of a growing list are missing");
    take_items(index, std::move(growth.at("items").as_array()), growth.at("depth").to_number<std::int64_t>());
  }
}

}  // namespace godwit::engine
