#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/plan.hpp"
#include "engine/step_request.hpp"
#include "expression/language.hpp"
#include "jobfile/parameters.hpp"
#include "model/job.hpp"

namespace godwit::engine {

// One version of a job, ready to run: its expressions compiled, its stages known by number.
class CompiledJob {
 public:
  // Throws Error(refused) as the compilation of expressions does.
  explicit CompiledJob(std::shared_ptr<const model::Job> job);

  struct Stage {
    const model::Stage* spec = nullptr;
    std::vector<std::size_t> needs;
    std::shared_ptr<const expression::Compiled> when;
    std::shared_ptr<const expression::Compiled> foreach;
    std::shared_ptr<const expression::CompiledTemplate> with;
    std::shared_ptr<const expression::CompiledTemplate> wait;  // model::Wait::what
    std::shared_ptr<const expression::CompiledTemplate> output;
    std::shared_ptr<const expression::CompiledTemplate> emit_rows;
    std::shared_ptr<const StepPolicy> policy;
    std::int64_t constant_hash = 0;  // of `with`, when that is constant
    bool output_wanted = false;      // a later expression reads stages.<name>
  };

  const model::Job& job() const { return *job_; }
  const std::shared_ptr<const model::Job>& shared() const { return job_; }
  const std::vector<Stage>& stages() const { return stages_; }
  const expression::CompiledTemplate* result() const { return result_.get(); }
  const jobfile::ParameterSchema& parameters() const { return *parameters_; }
  // Evaluating changes nothing that another evaluation sees, so a job that is shared by its runs lends its language to
  // all of them.
  expression::Language& language() const { return *language_; }
  Plan new_plan() const;

  // "search", "search[12]".
  std::string path(StepRef step) const;
  // The list of items of a foreach is recorded like a step, under "search[]".
  std::string list_path(std::size_t stage) const { return stages_[stage].spec->name + "[]"; }
  struct Parsed {
    StepRef step;
    bool list = false;
  };
  // Empty when the path names no stage of this job.
  std::optional<Parsed> parse_path(std::string_view path) const;
  std::optional<std::size_t> find_stage(std::string_view name) const;
  // The stages that cannot be as they were when `stage` is not: itself and all that need it, by number.
  std::vector<bool> dependents(std::size_t stage) const;

 private:
  void want_outputs_of(const std::vector<expression::Reference>& references);

  std::shared_ptr<const model::Job> job_;
  std::unique_ptr<expression::Language> language_;
  std::unique_ptr<jobfile::ParameterSchema> parameters_;
  std::vector<Stage> stages_;
  std::shared_ptr<const expression::CompiledTemplate> result_;
};

}  // namespace godwit::engine
