#include "engine/compiled_job.hpp"

#include "base/json_text.hpp"
#include "engine/script_steps.hpp"

namespace godwit::engine {

CompiledJob::CompiledJob(std::shared_ptr<const model::Job> job, Scripts* scripts)
    : job_(std::move(job)), language_(std::make_unique<expression::Language>()), scripts_(scripts) {
  if (job_->script) {
    if (!scripts_) throw base::refused("Lua jobs cannot run here", {job_->file});
    script_steps_ = std::make_unique<ScriptSteps>(job_->script->step_defaults, job_->params);
  }
  parameters_ = std::make_unique<jobfile::ParameterSchema>(*job_, *language_);
  graph_ = std::make_unique<CompiledGraph>(job_->stages, *language_, false);
  for (std::size_t i = 0; i < endings_.size(); ++i)
    if (!job_->endings[i].empty()) endings_[i] = std::make_unique<CompiledGraph>(job_->endings[i], *language_, false);
  if (job_->result) result_ = language_->compile(*job_->result);
  for (const auto& [name, value] : job_->labels) labels_[name] = language_->compile(value);
  if (job_->unique) unique_ = language_->compile(job_->unique->key);
  if (job_->concurrency && job_->concurrency->key) concurrency_ = language_->compile(*job_->concurrency->key);
  if (job_->continue_as) {
    continue_with_ = language_->compile(job_->continue_as->with);
    if (job_->continue_as->when) continue_when_ = language_->compile(*job_->continue_as->when);
  }
  has_locks_ = job_->script || job_->concurrency;
  each_stage(
      [this](const CompiledStage& stage) { has_locks_ = has_locks_ || stage.spec->kind == model::StageKind::lock; });
  want_outputs();
}

CompiledJob::~CompiledJob() = default;

base::json::object CompiledJob::options(const base::json::value& params) const {
  base::json::object options;
  expression::Scope scope;
  scope.set("params", params);
  base::json::object labels;
  for (const auto& [name, value] : labels_) {
    auto label = language_->render(*value, scope);
    labels[name] = label.is_string() ? std::move(label) : base::json::value(base::serialize(label));
  }
  if (!labels.empty()) options["labels"] = std::move(labels);
  if (job_->priority != 0) options["priority"] = job_->priority;
  if (!job_->queue.empty()) options["queue"] = job_->queue;
  if (job_->retain) options["retain"] = base::format_duration(*job_->retain);
  if (unique_) options["unique"] = base::serialize(language_->evaluate(*unique_, scope));
  if (const auto& concurrency = job_->concurrency) {
    base::json::object about{{"limit", concurrency->limit},
                             {"then", model::kConcurrencyThen[static_cast<std::size_t>(concurrency->then)]}};
    if (concurrency_) about["key"] = language_->evaluate(*concurrency_, scope);
    options["concurrency"] = std::move(about);
  }
  return options;
}

void CompiledJob::each_of_all(const std::function<void(CompiledStage&)>& visit) {
  graph_->each(visit);
  for (const auto& ending : endings_)
    if (ending) ending->each(visit);
}

void CompiledJob::each_stage(const std::function<void(const CompiledStage&)>& visit) const {
  std::as_const(*graph_).each(visit);
  for (const auto& ending : endings_)
    if (ending) std::as_const(*ending).each(visit);
}

void CompiledJob::want_outputs() {
  each_stage([this](const CompiledStage& stage) {
    for (const auto& compiled : {stage.when, stage.foreach, stage.grow, stage.key})
      if (compiled) want_outputs_of(compiled->references());
    for (const auto& compiled : {stage.with, stage.wait, stage.env, stage.output, stage.emit_rows})
      if (compiled) want_outputs_of(compiled->references());
  });
  if (result_) want_outputs_of(result_->references());
  if (continue_when_) want_outputs_of(continue_when_->references());
  if (continue_with_) want_outputs_of(continue_with_->references());
  // A run that was asked for some of its stages only has the last of them as its result; else the last of all is it.
  each_of_all([this](CompiledStage& stage) {
    if (!graph_->stages().empty() && &stage == &graph_->stages().back() && !result_) stage.output_wanted = true;
  });
}

// Names of stages are unique within a job, so that a name says which one is meant.
void CompiledJob::want_outputs_of(const std::vector<expression::Reference>& references) {
  for (const auto& reference : references) {
    if (reference.root != "stages") continue;
    each_of_all([&](CompiledStage& stage) {
      if (reference.member == stage.spec->name || reference.member == "*" || reference.member.empty())
        stage.output_wanted = true;
    });
  }
}

const CompiledStage* CompiledJob::find(std::string_view path) const {
  const CompiledGraph* graph = graph_.get();
  for (std::size_t i = 0; i < endings_.size(); ++i) {
    const std::string_view name = model::kEndings[i];
    if (!endings_[i] || !path.starts_with(name) || !path.substr(name.size()).starts_with('/')) continue;
    graph = endings_[i].get();
    path.remove_prefix(name.size() + 1);
    break;
  }
  while (graph) {
    const auto slash = path.find('/');
    const auto parsed = graph->parse(path.substr(0, slash));
    if (!parsed) return nullptr;
    const CompiledStage& stage = graph->stages()[parsed->ref.stage];
    const bool listed = parsed->kind != CompiledGraph::Parsed::step || parsed->ref.item != StepRef::kSingle;
    if (listed && !stage.foreach) return nullptr;
    if (slash == std::string_view::npos) return &stage;
    graph = stage.body.get();
    path.remove_prefix(slash + 1);
  }
  return nullptr;
}

bool CompiledJob::wants_output(std::string_view path) const {
  const CompiledStage* stage = find(path);
  // Lists of items end with their bracket and a sign for what they are.
  return stage && (stage->output_wanted || path.ends_with("[]") || path.find("[+") != std::string_view::npos);
}

}  // namespace godwit::engine
