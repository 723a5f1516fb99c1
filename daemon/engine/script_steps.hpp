#pragma once
#include <memory>
#include <string>
#include <unordered_map>

#include "engine/compiled_job.hpp"

namespace godwit::engine {

// The steps of a script as stages: what gw.call is told about a step means what the keys of a stage mean in YAML, so it
// is read by the same reader. Shared by the runs of one version of a job.
class ScriptSteps {
 public:
  // `defaults` hold for all steps; `params` are the job's, which expressions may read.
  ScriptSteps(base::json::object defaults, const base::json::object& params);

  // A job of one stage, that of the step. Throws Error(refused) with what is wrong in the options.
  std::shared_ptr<const CompiledJob> step(const std::string& uses, const std::string& options);

 private:
  base::json::object defaults_;  // the job's, such as `retry`
  base::json::object params_;    // of the job, by name
  std::unordered_map<std::string, std::shared_ptr<const CompiledJob>> known_;
};

}  // namespace godwit::engine
