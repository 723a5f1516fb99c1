#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/active_run.hpp"
#include "engine/answer.hpp"
#include "engine/clock.hpp"
#include "engine/followers.hpp"
#include "engine/locks.hpp"

namespace godwit::engine {

class Dispatcher;
class Runner;

// A run of another job that a step wants: what stores it, and the job it is of.
struct ChildRun {
  std::vector<Fact> facts;  // its Submitted is the last
  Submitted submitted;
  std::shared_ptr<const CompiledJob> job;
};
// Makes and takes up such runs; the engine gives it.
struct Children {
  std::function<void(const ActiveRun& parent, const StepTask& task, const std::string& job, Answer<ChildRun>)> prepare;
  std::function<void(ChildRun)> admit;
  // Makes the run that goes on where a run ends, with these parameters (JSON text).
  std::function<void(const ActiveRun& run, const std::string& params, Answer<ChildRun>)> prepare_next;
  // Lets the child know that its end was asked for in the store.
  std::function<void(model::RunId child, model::RunId parent)> cancel;
};

// The steps that wait for something outside their run: an instant, a signal, a person, another run. What they wait for
// is stored once; they hold no place among the steps in flight.
class Waits {
 public:
  Waits(Store& store, Clock& clock, Followers& followers, Locks& locks, Runner& runner, Dispatcher& dispatcher)
      : store_(store), clock_(clock), followers_(followers), locks_(locks), runner_(runner), dispatcher_(dispatcher) {}
  void set_children(Children children) { children_ = std::move(children); }

  // The step begins to wait, or goes on waiting as an earlier life decided.
  void begin(ActiveRun& run, StepTask& task);
  // A signal came that is stored; known ones are passed over.
  void signal(ActiveRun& run, Signal signal);
  void child_ended(ActiveRun& run, const RunDone& done);
  // The run's steps that wait for locks ask again.
  void ask_for_locks(ActiveRun& run);
  // The step waits no longer, and its run goes on without it: its lock is let go, its child is cancelled.
  void give_up(const ActiveRun& run, const StepTask& task);
  // The run goes on without the child, which is told so.
  void cancel_child(const ActiveRun& run, model::RunId child);
  // What stores that the child's end is asked for.
  RunChanged cancellation(model::RunId run, model::RunId child) const;
  // The name under which a decision on the step is sent as a signal.
  static std::string approval_name(const std::string& path) { return std::string(kApproval) + path; }
  // Signals whose names begin so are decisions, and nothing else may be sent under such a name.
  static constexpr std::string_view kApproval = "approve:";

 private:
  // Ends the step if what it waits for has come.
  bool settle(ActiveRun& run, StepTask& task);
  bool settle_signal(ActiveRun& run, StepTask& task, const SignalWork& work);
  bool settle_approval(ActiveRun& run, StepTask& task, const ApprovalWork& work);
  std::optional<Signal> take_signal(ActiveRun& run, StepTask& task, const std::string& name);
  bool is_due(const StepTask& task) const;
  void open(ActiveRun& run, StepTask& task);
  void open_child(ActiveRun& run, StepTask& task);
  void on_child_stored(model::RunId run, std::uint64_t task, ChildRun child, const Verdict& verdict);
  void ask_for_lock(ActiveRun& run, StepTask& task);
  void on_lock(model::RunId run, std::uint64_t task, const LockRow& wanted, Result<Locks::Taken> taken);
  void end_with_child(ActiveRun& run, StepTask& task, const RunDone& done);
  void give_up_child(ActiveRun& run, StepTask& task, model::RunId child);
  void tell_child_after(const ActiveRun& run, model::RunId child, std::vector<Fact> facts);
  void arm(ActiveRun& run, StepTask& task);
  void on_timer(ActiveRun& run, StepTask& task);
  void remind(ActiveRun& run, StepTask& task);
  void set_reminder(StepTask& task) const;
  void succeed(ActiveRun& run, StepTask& task, base::json::value output);
  void fail(ActiveRun& run, StepTask& task, std::string code, std::string message);

  Store& store_;
  Clock& clock_;
  Followers& followers_;
  Locks& locks_;
  Runner& runner_;
  Dispatcher& dispatcher_;
  Children children_;
};

}  // namespace godwit::engine
