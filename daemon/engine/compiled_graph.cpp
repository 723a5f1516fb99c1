#include "engine/compiled_graph.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/digest.hpp"
#include "base/json_text.hpp"

namespace godwit::engine {

namespace {

std::shared_ptr<const StepPolicy> policy_of(const CompiledStage& stage, bool inner) {
  const model::Stage& spec = *stage.spec;
  auto policy = std::make_shared<StepPolicy>();
  // A sequence of stages is not a step that is executed: its own steps take limits and attempts.
  if (!stage.body) {
    for (const auto& [name, use] : spec.limits) {
      if (!stage.uses.empty()) break;
      policy->limits.take[name] = use.count;
      if (use.estimate) policy->limits.estimated.push_back(name);
    }
    policy->retry = spec.retry;
  }
  policy->timeout = spec.timeout;
  policy->waits_for_provider = spec.waits_for_provider;
  if (spec.retry_safe) policy->on_loss = *spec.retry_safe ? OnLoss::repeat : OnLoss::block;
  policy->fails_run = stage.fatal && !inner;
  policy->one_of_many = inner || spec.foreach.has_value();
  return policy;
}

CompiledStage compile(const model::Stage& spec, expression::Language& language, bool inner) {
  CompiledStage stage{.spec = &spec};
  stage.fatal = !spec.foreach || spec.on_item_error == model::OnItemError::fail;
  if (!spec.stages.empty()) stage.body = std::make_shared<CompiledGraph>(spec.stages, language, true);
  if (spec.when) stage.when = language.compile(*spec.when);
  if (spec.foreach) stage.foreach = language.compile(*spec.foreach);
  if (spec.grow) {
    stage.grow = language.compile(spec.grow->items);
    if (spec.grow->key) stage.key = language.compile(*spec.grow->key);
  }
  stage.with = language.compile(spec.with);
  stage.wait = language.compile(spec.wait.what);
  if (const auto* env = spec.env.value.if_object(); env && !env->empty()) stage.env = language.compile(spec.env);
  if (stage.with->is_constant()) stage.constant_hash = base::sha256_prefix(stage.with->constant_text());
  if (spec.output) stage.output = language.compile(*spec.output);
  if (spec.emit) stage.emit_rows = language.compile(spec.emit->rows);
  const bool varies = std::any_of(spec.limits.begin(), spec.limits.end(),
                                  [](const auto& use) { return use.second.key || use.second.amount; });
  if (varies)
    for (const auto& [name, use] : spec.limits)
      stage.uses.push_back({name, use.key ? language.compile(*use.key) : nullptr,
                            use.amount ? language.compile(*use.amount) : nullptr, use.count, use.estimate});
  stage.policy = policy_of(stage, inner);
  return stage;
}

// The value of an expression as a count of permits or tokens; what is not whole is rounded up.
int count_of(const base::json::value& value, const std::string& limit) {
  const double count = value.is_number() ? std::ceil(value.to_number<double>()) : -1;
  if (!(count >= 0) || count > 1e9)
    throw base::refused("limit '" + limit + "': a count from 0 to 1,000,000,000 is needed, not " +
                        base::serialize(value));
  return static_cast<int>(count);
}

}  // namespace

StepLimits render_uses(const std::vector<CompiledUse>& uses, expression::Language& language,
                       const expression::Scope& scope) {
  constexpr std::size_t kNameMax = 200;
  StepLimits limits;
  for (const auto& use : uses) {
    const auto key = use.key ? language.render(*use.key, scope) : base::json::value(use.name);
    const std::string name = key.is_string() ? std::string(key.as_string()) : base::serialize(key);
    if (name.size() > kNameMax)
      throw base::refused("the name of limit '" + name.substr(0, kNameMax) + "...' is too long");
    const int count = use.amount ? count_of(language.evaluate(*use.amount, scope), name) : use.count;
    if (count == 0) continue;
    limits.take[name] += count;
    if (use.estimate) limits.estimated.push_back(name);
  }
  return limits;
}

CompiledGraph::CompiledGraph(const std::vector<model::Stage>& specs, expression::Language& language, bool inner) {
  for (const auto& spec : specs) stages_.push_back(compile(spec, language, inner));
  for (auto& stage : stages_) {
    for (const auto& need : stage.spec->needs)
      if (const auto number = find_stage(need)) stage.needs.push_back(*number);
    // What the last stage gives is what the sequence gives, unless the stage around it says otherwise.
    if (stage.body && !stage.output) stage.body->stages_.back().output_wanted = true;
  }
}

Plan CompiledGraph::new_plan() const {
  std::vector<std::vector<std::size_t>> needs;
  for (const auto& stage : stages_) needs.push_back(stage.needs);
  return Plan(std::move(needs));
}

std::string CompiledGraph::path(StepRef step) const {
  const std::string& name = stages_[step.stage].spec->name;
  return step.item == StepRef::kSingle ? name : name + "[" + std::to_string(step.item) + "]";
}

std::string CompiledGraph::growth_path(StepRef step) const {
  return stages_[step.stage].spec->name + "[+" + std::to_string(step.item) + "]";
}

std::optional<std::size_t> CompiledGraph::find_stage(std::string_view name) const {
  for (std::size_t i = 0; i < stages_.size(); ++i)
    if (stages_[i].spec->name == name) return i;
  return std::nullopt;
}

std::optional<CompiledGraph::Parsed> CompiledGraph::parse(std::string_view path) const {
  const auto bracket = path.find('[');
  const auto stage = find_stage(path.substr(0, bracket));
  if (!stage) return std::nullopt;
  if (bracket == std::string_view::npos) return Parsed{Parsed::step, {*stage, StepRef::kSingle}};
  if (path.back() != ']') return std::nullopt;
  std::string_view index = path.substr(bracket + 1, path.size() - bracket - 2);
  if (index.empty()) return Parsed{Parsed::list, {*stage, StepRef::kSingle}};
  const auto kind = index.front() == '+' ? Parsed::growth : Parsed::step;
  if (kind == Parsed::growth) index.remove_prefix(1);
  std::int64_t item = 0;
  const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), item);
  if (error != std::errc() || end != index.data() + index.size() || item < 0) return std::nullopt;
  return Parsed{kind, {*stage, item}};
}

std::vector<bool> CompiledGraph::dependents(std::size_t stage) const {
  std::vector<bool> marked(stages_.size(), false);
  marked[stage] = true;
  // The stages stand in the order of the file, which need not be that of their needs: repeat until nothing changes.
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      if (marked[i]) continue;
      for (const std::size_t need : stages_[i].needs)
        if (marked[need]) marked[i] = changed = true;
    }
  }
  return marked;
}

std::vector<bool> CompiledGraph::ancestors(std::size_t stage) const {
  std::vector<bool> marked(stages_.size(), false);
  std::vector<std::size_t> left{stage};
  while (!left.empty()) {
    const std::size_t next = left.back();
    left.pop_back();
    if (marked[next]) continue;
    marked[next] = true;
    left.insert(left.end(), stages_[next].needs.begin(), stages_[next].needs.end());
  }
  return marked;
}

void CompiledGraph::each(const std::function<void(CompiledStage&)>& visit) {
  for (auto& stage : stages_) {
    visit(stage);
    if (stage.body) stage.body->each(visit);
  }
}

void CompiledGraph::each(const std::function<void(const CompiledStage&)>& visit) const {
  for (const auto& stage : stages_) {
    visit(stage);
    if (stage.body) std::as_const(*stage.body).each(visit);
  }
}

}  // namespace godwit::engine
