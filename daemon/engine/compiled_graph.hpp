#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/plan.hpp"
#include "engine/step_request.hpp"
#include "expression/language.hpp"
#include "model/job.hpp"

namespace godwit::engine {

class CompiledGraph;

// What a stage takes of a limit.
struct CompiledUse {
  std::string name;
  std::shared_ptr<const expression::CompiledTemplate> key;  // the name, when it holds expressions
  std::shared_ptr<const expression::Compiled> amount;       // the count, likewise
  int count = 1;
  bool estimate = false;
};

// A stage with its expressions compiled.
struct CompiledStage {
  const model::Stage* spec = nullptr;
  std::vector<std::size_t> needs;
  std::shared_ptr<const expression::Compiled> when;
  std::shared_ptr<const expression::Compiled> foreach;
  std::shared_ptr<const expression::Compiled> grow;
  std::shared_ptr<const expression::Compiled> key;
  std::shared_ptr<const expression::CompiledTemplate> with;
  std::shared_ptr<const expression::CompiledTemplate> wait;  // model::Wait::what
  std::shared_ptr<const expression::CompiledTemplate> env;   // null for none
  std::shared_ptr<const expression::CompiledTemplate> output;
  std::shared_ptr<const expression::CompiledTemplate> emit_rows;
  std::vector<CompiledUse> uses;  // when they depend on the step; else the policy has them
  std::shared_ptr<const StepPolicy> policy;
  std::shared_ptr<CompiledGraph> body;  // of a foreach whose items are sequences of stages
  std::int64_t constant_hash = 0;       // of `with`, when that is constant
  bool output_wanted = false;           // a later expression reads stages.<name>
  bool fatal = true;                    // what it is part of cannot go on once a step of it has failed

  bool is_constant() const {
    return spec->kind == model::StageKind::call && !env && uses.empty() && with->is_constant();
  }
};

// What a step takes of the limits of such a stage, its expressions seen from `scope`. Throws Error(refused).
StepLimits render_uses(const std::vector<CompiledUse>& uses, expression::Language& language,
                       const expression::Scope& scope);

// A list of stages, ready to run: the stages of a job, of the end of a job, or of each item of a foreach. Steps are
// known by number, and by paths within the list: "search", "search[12]".
class CompiledGraph {
 public:
  // `inner`: its steps fail their item, not their run.
  CompiledGraph(const std::vector<model::Stage>& specs, expression::Language& language, bool inner);

  const std::vector<CompiledStage>& stages() const { return stages_; }
  Plan new_plan() const;

  std::string path(StepRef step) const;
  // The items of a foreach are recorded like a step, under "search[]"; those that item 12 added under "search[+12]".
  std::string list_path(std::size_t stage) const { return stages_[stage].spec->name + "[]"; }
  std::string growth_path(StepRef step) const;
  struct Parsed {
    enum Kind { step, list, growth } kind = step;
    StepRef ref;
  };
  // Empty when the path names no stage of this list.
  std::optional<Parsed> parse(std::string_view path) const;
  std::optional<std::size_t> find_stage(std::string_view name) const;
  // The stages that cannot be as they were when `stage` is not: itself and all that need it, by number.
  std::vector<bool> dependents(std::size_t stage) const;
  // The stages that `stage` needs, itself included.
  std::vector<bool> ancestors(std::size_t stage) const;

  // This list's stages and those of their bodies.
  void each(const std::function<void(CompiledStage&)>& visit);
  void each(const std::function<void(const CompiledStage&)>& visit) const;

 private:
  std::vector<CompiledStage> stages_;
};

}  // namespace godwit::engine
