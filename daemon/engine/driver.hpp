#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/step_request.hpp"
#include "engine/store.hpp"
#include "model/job.hpp"

namespace godwit::engine {

// What a driver may ask of the run it drives. Engine thread only. None of these calls the driver back from inside.
class RunControl {
 public:
  virtual ~RunControl() = default;
  virtual const Submitted& record() const = 0;
  // There is something new: next() is asked again as soon as the run may go on. Needless from inside a call to the
  // driver.
  virtual void wake() = 0;
  // The run cannot go on and ends as failed, once the driver has returned. `path` is the step or stage it failed at.
  virtual void fail(model::Failure failure, std::string path) = 0;
  // The run waits for a person: next() is not asked until somebody let it go on. `sides` shows what was recorded beside
  // what was asked for, as {"recorded": {...}, "requested": {...}} with whatever helps a person to compare (path, uses,
  // input, file, line, version); empty when there are no two sides.
  virtual void block(std::string why, std::string path, base::json::object sides = {}) = 0;
  // What `uses` means in this run: plugins are pinned, so it is what it was at the submit. Null when it cannot be had;
  // then the run is blocked and says why.
  virtual std::shared_ptr<const Callable> resolve(const std::string& uses, const std::string& path) = 0;
  // Stores facts of the driver's own (a list of items, a cursor) in the order of the calls, before all that is recorded
  // later; so nothing need wait for `stored`, which may be empty.
  virtual void append(std::vector<Fact> facts, std::function<void(const Verdict&)> stored = {}) = 0;
  // What followers and `godwit show` see of the run's progress changed.
  virtual void progressed() = 0;
  // Fields that they see beside it.
  virtual void show_fields(base::json::object fields) = 0;
  virtual void log(LogLevel level, std::string text, std::string fields) = 0;
  // Nobody waits for this step any more, which was handed out: it is ended without an outcome, as far as it can be.
  virtual void cancel(const std::string& path) = 0;
  // Throws Error(refused) for a limit that a step would wait for in vain: there is none, or less of it.
  virtual void check_limit(const std::string& limit, int count) const = 0;
  // A lock that a step has taken, by that step's path.
  virtual void release_lock(const std::string& path, const std::string& name) = 0;
  virtual base::Instant now() const = 0;
  // The end of a step that the driver records by itself: later than those of all that were recorded before.
  virtual base::Instant next_end() = 0;
};

// What earlier lives of a run left to its driver.
struct Recorded {
  std::vector<StepDone> steps;                 // finished ones, in the order of their end
  std::map<std::string, std::string> cursors;  // newest CursorMoved value by path
};

// How a run ends, before that is recorded.
struct Outcome {
  model::RunState state = model::RunState::succeeded;
  std::string result;                     // JSON text; empty unless succeeded
  std::optional<model::Failure> failure;  // unless succeeded
  std::string failed_path;
  std::string next_params;  // JSON object: another run of the job goes on with these; empty for none
};

// Which end that is, and how it is shown to what runs then: {"state", "result", "error": {"code", "message", "step"}}.
model::Ending ending_of(model::RunState state);
base::json::object outcome_view(const Outcome& outcome);

// Decides what one run does next; one object for each run in memory. The runner does what is common to all steps
// (limits, attempts, deadlines, retries, the journal, events) and knows nothing of graphs or scripts.
//
// The life of a step: next() hands out a request -> [attempts] -> shape() -> settling() -> left() -> the commit ->
// recorded(). A failed or skipped step goes the same way without shape(). Only recorded() says that the outcome is
// durable: nothing may be built on it before, though the step's place is free from left() on. dropped() ends a step
// that will have no outcome in this life, because the run ends or the daemon drains.
//
// A driver lives as long as its run is in memory and must be able to come back: start() gets what was recorded, and
// from then on the driver hands out only what is not. A run that only waits is dropped from memory when the driver is
// idle(), and rebuilt by a new driver with start() when something comes. Requests may come at any time, in any order
// and number: a driver that gets them from elsewhere (a script in its host process) keeps them until next() is asked
// and calls RunControl::wake().
//
// What fits not with what is recorded is never repaired in silence: RunControl::block() with both sides.
class Driver {
 public:
  virtual ~Driver() = default;

  // Whether there can be a step of this path in the run; asked before start(), of steps that another version recorded.
  virtual bool knows(const std::string&) const { return true; }
  // Asked before start(): whether the output of a finished step is needed; long ones are read on demand only.
  virtual bool wants_output(const std::string& path) const = 0;
  // Once, before all that follows. `control` outlives the driver.
  virtual void start(RunControl& control, Recorded recorded) = 0;

  // Hands out a step that may start now, each once. Asked until it gives nothing, whenever a step has left or was
  // recorded, or wake() was called, while there is room for more steps.
  virtual std::optional<StepRequest> next() = 0;
  // A call succeeded: makes its output and rows what shall be kept of them. An Error fails the attempt.
  virtual void shape(const StepRequest& request, StepSucceeded& success) = 0;
  // `done` is about to be recorded; the last chance to keep what is in it. `more` takes facts for the same transaction.
  virtual void settling(const StepRequest& request, const StepDone& done, std::vector<Fact>& more) = 0;
  virtual void left(const StepRequest& request) = 0;
  virtual void recorded(const StepRequest& request, model::StepState state) = 0;
  virtual void dropped(const StepRequest& request) = 0;

  // Whether nothing is left to do but to record `request`: the end of the run is then stored with it. Asked after
  // settling().
  virtual bool is_last(const StepRequest& request) = 0;
  // Whether everything was handed out and recorded: the run ends.
  virtual bool done() const = 0;
  // Whether nothing but the end of a step that was handed out can bring something new: such a run may leave memory
  // while all its steps wait. Steps that wait are handed out again in its next life, by the same paths.
  virtual bool idle() const = 0;
  // The run's result as JSON text, once done() or at is_last(). An Error fails the run.
  virtual std::string result() = 0;

  // The parameters of the run that goes on when this one has succeeded, as JSON text; empty for none. After result().
  virtual std::string next_params() { return {}; }

  // Whether something is to be done when the run ends so, before its end is recorded.
  virtual bool has_closing(const Outcome&) const { return false; }
  // The run ends so, which is stored: from now on next() gives the steps of the end, and done() is about them. Also
  // after start(), when an earlier life came so far. Nothing of what was before is under way any more.
  virtual void begin_closing(const Outcome&) {}

  // {"done","total","failed","stages":[...]} for people; the runner adds what plugins said.
  virtual base::json::object progress() const = 0;
};

}  // namespace godwit::engine
