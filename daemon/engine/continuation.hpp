#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/compiled_job.hpp"
#include "engine/engine.hpp"

namespace godwit::engine {

// How a new run continues one that has ended: which finished steps it takes over, and what a person gives it instead.
class Continuation {
 public:
  // Throws Error(not_found) for a step that the job does not have, Error(refused) for what does not go together.
  Continuation(const CompiledJob& job, const Engine::Retry& how);

  // All finished steps but what `from` names, what depends on it, what a person gives, what failed the run, and what
  // its end did.
  std::vector<std::string> kept(const std::vector<StepDone>& steps) const;
  // The parameters with what was set in them; checked as those of a submit are.
  std::string params(const std::string& given) const;
  // The steps that are set or skipped; their run is not known yet.
  std::vector<Fact> given(base::Instant now) const;

 private:
  bool is_given(const std::string& path) const;
  StepRef find(const std::string& path, const std::string& option) const;

  const CompiledJob& job_;
  const Engine::Retry& how_;
  std::optional<StepRef> from_;
  std::vector<bool> again_;  // by stage
};

}  // namespace godwit::engine
