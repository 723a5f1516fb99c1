#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/time.hpp"

namespace godwit::model {

// Names one run within one store. Handed out by a sequence of the store: grows, may have gaps, starts at 1.
enum class RunId : std::int64_t {};
inline std::int64_t number(RunId id) {
  return static_cast<std::int64_t>(id);
}
inline std::string text(RunId id) {
  return std::to_string(number(id));
}

enum class RunState { queued, running, waiting, paused, blocked, succeeded, failed, cancelled };

struct RunStateInfo {
  RunState state;
  std::string_view name;
  bool terminal;
  std::string_view meaning;
};
// In the order of the enumeration; the command line, the views and the parser of filters all read this table.
inline constexpr std::array kRunStates{
    RunStateInfo{RunState::queued, "queued", false, "accepted and stored, not yet taken up"},
    RunStateInfo{RunState::running, "running", false, "at least one step is being executed"},
    RunStateInfo{RunState::waiting, "waiting", false, "waits for a limit, a retry's backoff, or a free slot"},
    RunStateInfo{RunState::paused, "paused", false, "paused by a person; goes on with resume"},
    RunStateInfo{RunState::blocked, "blocked", false, "needs a person to decide; never retried in silence"},
    RunStateInfo{RunState::succeeded, "succeeded", true, "ended with a result"},
    RunStateInfo{RunState::failed, "failed", true, "ended with an error"},
    RunStateInfo{RunState::cancelled, "cancelled", true, "ended by a person"},
};
inline const RunStateInfo& info(RunState state) {
  return kRunStates[static_cast<std::size_t>(state)];
}
inline std::string_view name(RunState state) {
  return info(state).name;
}
inline bool is_terminal(RunState state) {
  return info(state).terminal;
}
std::optional<RunState> parse_run_state(std::string_view name);

// How one step ended. A failed step may still let its run go on (on_item_error: record).
enum class StepState { succeeded, failed, skipped };
inline constexpr std::array<std::string_view, 3> kStepStates{"succeeded", "failed", "skipped"};
inline std::string_view name(StepState state) {
  return kStepStates[static_cast<std::size_t>(state)];
}
std::optional<StepState> parse_step_state(std::string_view name);

// Why a step failed, as it is stored with the step and shown to people.
struct Failure {
  std::string code;     // short and stable: "timeout", "crashed", "limit", or what the plugin gave
  std::string message;  // one or more sentences
  bool retryable = false;
  std::optional<base::Duration> retry_after;  // what the provider asked for

  bool operator==(const Failure&) const = default;
};

}  // namespace godwit::model
