#pragma once
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/compiled_graph.hpp"
#include "jobfile/parameters.hpp"

namespace godwit::engine {

class Scripts;
class ScriptSteps;

// One version of a job, ready to run: its expressions compiled, its stages known by number.
class CompiledJob {
 public:
  // Throws Error(refused) as the compilation of expressions does. `scripts` runs the job when it is a script.
  explicit CompiledJob(std::shared_ptr<const model::Job> job, Scripts* scripts = nullptr);
  ~CompiledJob();

  const model::Job& job() const { return *job_; }
  const std::shared_ptr<const model::Job>& shared() const { return job_; }
  const CompiledGraph& graph() const { return *graph_; }
  // What runs when a run ends so; null for nothing.
  const CompiledGraph* ending(model::Ending ending) const { return endings_[static_cast<std::size_t>(ending)].get(); }
  const expression::CompiledTemplate* result() const { return result_.get(); }
  // What follows a run: `when` may be null, and both are when nothing does.
  const expression::Compiled* continue_when() const { return continue_when_.get(); }
  const expression::CompiledTemplate* continue_with() const { return continue_with_.get(); }
  // Whether runs of it may have locks.
  bool has_locks() const { return has_locks_; }
  // What a run of the job with these parameters carries: {"labels", "priority", "queue", "retain", "unique",
  // "concurrency"}, those that the job has. Throws Error(refused) as expressions do.
  base::json::object options(const base::json::value& params) const;
  // Of a script: what runs it, and what its steps mean.
  Scripts* scripts() const { return scripts_; }
  ScriptSteps& script_steps() const { return *script_steps_; }
  const jobfile::ParameterSchema& parameters() const { return *parameters_; }
  // Evaluating changes nothing that another evaluation sees, so a job that is shared by its runs lends its language to
  // all of them.
  expression::Language& language() const { return *language_; }

  // All stages there are, those of items and of the end included.
  void each_stage(const std::function<void(const CompiledStage&)>& visit) const;
  // The stage of a step, by its whole path; null when there is none.
  const CompiledStage* find(std::string_view path) const;
  // Whether the output of a finished step is read by an expression; for the whole path of a step.
  bool wants_output(std::string_view path) const;

 private:
  void each_of_all(const std::function<void(CompiledStage&)>& visit);
  void want_outputs_of(const std::vector<expression::Reference>& references);
  void want_outputs();

  std::shared_ptr<const model::Job> job_;
  std::unique_ptr<expression::Language> language_;
  std::unique_ptr<jobfile::ParameterSchema> parameters_;
  std::unique_ptr<CompiledGraph> graph_;
  std::array<std::unique_ptr<CompiledGraph>, model::kEndings.size()> endings_;
  Scripts* scripts_ = nullptr;
  std::unique_ptr<ScriptSteps> script_steps_;
  std::shared_ptr<const expression::CompiledTemplate> result_;
  std::map<std::string, std::shared_ptr<const expression::CompiledTemplate>> labels_;
  std::shared_ptr<const expression::Compiled> unique_;
  std::shared_ptr<const expression::Compiled> concurrency_;
  std::shared_ptr<const expression::Compiled> continue_when_;
  std::shared_ptr<const expression::CompiledTemplate> continue_with_;
  bool has_locks_ = false;
};

}  // namespace godwit::engine
