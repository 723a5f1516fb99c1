#include "engine/compiled_job.hpp"

#include <charconv>

#include "base/digest.hpp"

namespace godwit::engine {

namespace {

std::shared_ptr<const StepPolicy> policy_of(const model::Stage& spec) {
  auto policy = std::make_shared<StepPolicy>();
  policy->limits = spec.limits;
  policy->retry = spec.retry;
  policy->timeout = spec.timeout;
  if (spec.retry_safe) policy->on_loss = *spec.retry_safe ? OnLoss::repeat : OnLoss::block;
  policy->fails_run = !spec.foreach || spec.on_item_error == model::OnItemError::fail;
  policy->one_of_many = spec.foreach.has_value();
  return policy;
}

}  // namespace

CompiledJob::CompiledJob(std::shared_ptr<const model::Job> job)
    : job_(std::move(job)), language_(std::make_unique<expression::Language>()) {
  parameters_ = std::make_unique<jobfile::ParameterSchema>(*job_, *language_);
  for (const auto& spec : job_->stages) {
    Stage stage{.spec = &spec};
    stage.policy = policy_of(spec);
    if (spec.when) stage.when = language_->compile(*spec.when);
    if (spec.foreach) stage.foreach = language_->compile(*spec.foreach);
    stage.with = language_->compile(spec.with);
    stage.wait = language_->compile(spec.wait.what);
    if (stage.with->is_constant()) stage.constant_hash = base::sha256_prefix(stage.with->constant_text());
    if (spec.output) stage.output = language_->compile(*spec.output);
    if (spec.emit) stage.emit_rows = language_->compile(spec.emit->rows);
    stages_.push_back(std::move(stage));
  }
  for (auto& stage : stages_) {
    for (const auto& need : stage.spec->needs)
      if (const auto number = find_stage(need)) stage.needs.push_back(*number);
    if (stage.when) want_outputs_of(stage.when->references());
    if (stage.foreach) want_outputs_of(stage.foreach->references());
    want_outputs_of(stage.with->references());
    want_outputs_of(stage.wait->references());
    if (stage.output) want_outputs_of(stage.output->references());
    if (stage.emit_rows) want_outputs_of(stage.emit_rows->references());
  }
  if (job_->result) {
    result_ = language_->compile(*job_->result);
    want_outputs_of(result_->references());
  } else {
    stages_.back().output_wanted = true;
  }
}

void CompiledJob::want_outputs_of(const std::vector<expression::Reference>& references) {
  for (const auto& reference : references) {
    if (reference.root != "stages") continue;
    for (auto& stage : stages_)
      if (reference.member == stage.spec->name || reference.member == "*" || reference.member.empty())
        stage.output_wanted = true;
  }
}

Plan CompiledJob::new_plan() const {
  std::vector<std::vector<std::size_t>> needs;
  for (const auto& stage : stages_) needs.push_back(stage.needs);
  return Plan(std::move(needs));
}

std::string CompiledJob::path(StepRef step) const {
  const std::string& name = stages_[step.stage].spec->name;
  return step.item == StepRef::kSingle ? name : name + "[" + std::to_string(step.item) + "]";
}

std::optional<std::size_t> CompiledJob::find_stage(std::string_view name) const {
  for (std::size_t i = 0; i < stages_.size(); ++i)
    if (stages_[i].spec->name == name) return i;
  return std::nullopt;
}

std::optional<CompiledJob::Parsed> CompiledJob::parse_path(std::string_view path) const {
  const auto bracket = path.find('[');
  const auto stage = find_stage(path.substr(0, bracket));
  if (!stage) return std::nullopt;
  if (bracket == std::string_view::npos) return Parsed{{*stage, StepRef::kSingle}};
  if (path.back() != ']') return std::nullopt;
  const std::string_view index = path.substr(bracket + 1, path.size() - bracket - 2);
  if (index.empty()) return Parsed{{*stage, StepRef::kSingle}, true};
  std::int64_t item = 0;
  const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), item);
  if (error != std::errc() || end != index.data() + index.size() || item < 0) return std::nullopt;
  return Parsed{{*stage, item}};
}

std::vector<bool> CompiledJob::dependents(std::size_t stage) const {
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

}  // namespace godwit::engine
