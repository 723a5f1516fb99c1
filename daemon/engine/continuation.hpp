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
  Continuation(const CompiledJob& job, const UnfinishedRun& old, const Engine::Retry& how);

  // All finished steps but what `from` names, what depends on it, what a person gives, what failed the run, and what
  // its end did.
  std::vector<std::string> kept() const;
  // The parameters with what was set in them; checked as those of a submit are.
  std::string params(const std::string& given) const;
  // The steps that are set or skipped, and what was folded away of the loops that are kept; their run is not known yet.
  std::vector<Fact> given(base::Instant now) const;
  // What the new run carries beside what the old one did. A script goes on as the run it continues, in its time and
  // with its random numbers: else it would ask for other things than it did.
  std::string options() const;

 private:
  bool is_given(const std::string& path) const;
  StepRef find(const std::string& path, const std::string& option) const;
  void check_graph();
  void check_script() const;
  const StepDone& step(const std::string& path, const std::string& option) const;
  std::vector<std::string> kept_of_script() const;
  std::vector<std::string> kept_of_graph() const;

  const CompiledJob& job_;
  const UnfinishedRun& old_;
  const Engine::Retry& how_;
  std::optional<StepRef> from_;
  std::vector<bool> again_;  // by stage
};

}  // namespace godwit::engine
