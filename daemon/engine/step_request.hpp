#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/plan.hpp"
#include "engine/step_runner.hpp"
#include "model/job.hpp"

namespace godwit::engine {

// What is done when the process that executed a call is lost in mid-call, so that nobody knows whether it had its
// effect.
enum class OnLoss {
  as_method,  // `repeat` when the method is safe to repeat, else `block`
  repeat,
  block,  // the run waits for a person to decide
};

// What a step takes together before it starts, and gives back when it ends.
struct StepLimits {
  std::map<std::string, int> take;
  std::vector<std::string> estimated;  // of those: what the provider says the true cost of
};

// How a step is to be treated, whatever it does. Shared by all steps of one stage, or of one call site of a script.
struct StepPolicy {
  StepLimits limits;
  model::Retry retry;
  std::optional<base::Duration> timeout;  // of one attempt
  OnLoss on_loss = OnLoss::as_method;
  bool waits_for_provider = true;  // while its breaker is open; else the attempt fails
  bool fails_run = true;     // whether the run cannot go on once this step has failed for good
  bool one_of_many = false;  // followers hear of each only when it fails: their number would drown a reader
  std::string label;         // what people read beside the path; may be empty

  bool repeats(bool method_is_safe) const {
    return on_loss == OnLoss::repeat || (on_loss == OnLoss::as_method && method_is_safe);
  }
};

// The kinds of work of a step. A method of a plugin:
struct CallWork {
  std::shared_ptr<const Callable> callable;
};
// What the driver has decided by itself and wants to have recorded, never to be decided anew: the step's input is its
// output. It takes no limits. `skipped` steps have no output.
struct ValueWork {
  model::StepState state = model::StepState::succeeded;
};
// The next five wait for something outside the run, hold nothing meanwhile and take no limits. A run of whose steps all
// wait is dropped from memory. Waits until an instant. Output: {"until": instant}.
struct SleepWork {
  base::Instant until;
};
// Takes the oldest signal of this name. Output: {"payload", "by", "at"}; when none comes in time the step fails with
// "timeout", or gives null.
struct SignalWork {
  std::string name;
  std::optional<base::Duration> timeout;
  bool timeout_fails = true;
};
// Waits for a person's decision. Output: {"approved", "by", "comment", "at"}; a rejection, or no decision in time,
// fails the step with "rejected" or "timeout", or gives approved = false.
struct ApprovalWork {
  std::string text;              // what is to be approved
  std::vector<std::string> who;  // users, or "role:operator"; empty for everybody who may approve at all
  std::optional<base::Duration> within;
  std::optional<base::Duration> remind;  // followers and the log are told again after each
  bool rejection_fails = true;
};
// A run of another job with the input as its parameters. It is cancelled when this run ends before it. Its result is
// the output, its failure the step's.
struct ChildWork {
  std::string job;
  std::optional<base::Duration> timeout;
};
// Waits until it has a named lock, which the run then has until it lets go or ends. Output: {"lock": name}.
struct LockWork {
  std::string name;
  int permits = 1;
  std::optional<base::Duration> timeout;
};
// A statement on the store's own database, in the transaction that records the step. shape() is not asked. The input is
// {"statement", "parameters"}.
struct SqlWork {
  std::string statement;
  std::vector<std::string> parameters;  // JSON texts
};
using StepWork = std::variant<CallWork, ValueWork, SleepWork, SignalWork, ApprovalWork, ChildWork, LockWork, SqlWork>;

inline bool is_wait(const StepWork& work) {
  return std::holds_alternative<SleepWork>(work) || std::holds_alternative<SignalWork>(work) ||
         std::holds_alternative<ApprovalWork>(work) || std::holds_alternative<ChildWork>(work) ||
         std::holds_alternative<LockWork>(work);
}

// One step that a driver wants to have done.
struct StepRequest {
  // The driver's own names for it; the runner hands them back and does not look at them.
  StepRef ref;
  std::uint64_t scope = 0;
  std::string path;  // names the step within its run, for all times: "search[12]", "each/days[3]/search#9f31"
  StepWork work;
  std::string input;                             // JSON text
  std::optional<base::json::value> input_value;  // the same, if the driver has it at hand anyway
  std::int64_t args_hash = 0;                    // of the input
  std::string line;                              // of the script that asks: "trip.lua:12"
  std::shared_ptr<const StepPolicy> policy;
  std::optional<StepLimits> own_limits;  // instead of the policy's, where they depend on the step
  // The step cannot even be tried, for this reason; it is recorded as failed.
  std::optional<model::Failure> failure;

  const StepLimits& limits() const { return own_limits ? *own_limits : policy->limits; }
  const Callable* callable() const {
    const auto* call = std::get_if<CallWork>(&work);
    return call ? call->callable.get() : nullptr;
  }
};

}  // namespace godwit::engine
