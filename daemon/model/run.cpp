#include "model/run.hpp"

namespace godwit::model {

std::optional<RunState> parse_run_state(std::string_view name) {
  for (const auto& entry : kRunStates)
    if (entry.name == name) return entry.state;
  return std::nullopt;
}

std::optional<StepState> parse_step_state(std::string_view name) {
  for (std::size_t i = 0; i < kStepStates.size(); ++i)
    if (kStepStates[i] == name) return static_cast<StepState>(i);
  return std::nullopt;
}

}  // namespace godwit::model
