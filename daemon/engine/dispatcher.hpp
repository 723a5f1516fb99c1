#pragma once
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>

#include "engine/active_run.hpp"
#include "engine/answer.hpp"
#include "engine/breakers.hpp"
#include "engine/clock.hpp"
#include "engine/cluster.hpp"
#include "engine/followers.hpp"
#include "engine/limits.hpp"
#include "engine/step_runner.hpp"
#include "engine/store.hpp"
#include "engine/waits.hpp"
#include "jobfile/schema.hpp"

namespace godwit::engine {

class Runner;

// Does the steps that drivers hand out: takes their limits, announces them, has them executed, tries them again,
// records how they ended. What is common to all steps, whoever asked for them.
class Dispatcher {
 public:
  struct Parts {
    Store& store;
    StepRunner& steps;
    Clock& clock;
    Limits& limits;
    Breakers& breakers;
    Followers& followers;
    Locks& locks;
    const Lease* lease = nullptr;  // without one the node may always act
  };
  Dispatcher(Parts parts, Runner& runner, std::size_t in_flight_max, std::uint64_t seed);
  ~Dispatcher();

  // Whether one more step may be begun. The run is advanced again when there is room.
  bool has_room_for(ActiveRun& run);
  void begin(ActiveRun& run, StepRequest request);
  // Ends what is under way: what is idle at once, what is being executed when its plugin lets go.
  void give_up(ActiveRun& run);
  // The same for one step.
  void cancel(ActiveRun& run, const std::string& path);
  void log(const ActiveRun& run, const std::string& path, LogLevel level, std::string text, std::string fields,
           std::string_view stream);
  // Shows them beside the progress of the run; what it has no room for it says once, of the step `path` or of the script.
  void show_fields(ActiveRun& run, const std::string& path, base::json::object fields);
  // What was of unknown outcome is attempted again.
  void repeat_doubtful(ActiveRun& run);
  // Lets go of all that is under way in a run that leaves memory while it only waits.
  void forget(ActiveRun& run);
  // Starts nothing more; `drained` comes when nothing is being executed. What waits for a limit or a backoff is left
  // for the next life as it is.
  void drain(const std::unordered_map<model::RunId, std::shared_ptr<ActiveRun>>& runs, std::function<void()> drained);
  bool draining() const { return draining_; }
  // The node has its lease again: what was parked meanwhile is started.
  void unpark();

  // How an attempt, or a wait, ended.
  void teach_limits(const StepTask& task, const StepOutcome& outcome);
  void on_outcome(ActiveRun& run, StepTask& task, StepOutcome outcome);
  // The step takes no place among those in flight any more.
  void leave_flight(StepTask& task);
  // Lets go on who is first of those that wait for a place among the steps in flight.
  void feed();
  Waits& waits() { return waits_; }

  std::size_t in_flight() const { return in_flight_; }
  // Runs that wait for a place and have not begun: as long as there are enough of them, more are of no use.
  std::size_t fresh_in_line() const { return fresh_in_line_; }
  std::uint64_t steps_done() const { return steps_done_; }

 private:
  class Listener;

  // Who waits for a place among the steps in flight: a run that has steps to begin, or a step that has waited for something
  // else meanwhile.
  struct InLine {
    model::RunId run;
    std::uint64_t task = 0;
    bool fresh = false;  // a run that has begun nothing, and is no less urgent than most
  };

  bool is_full(const ActiveRun& run) const;
  void take_turn(ActiveRun& run) const;
  void stand_in_line(ActiveRun& run, std::uint64_t task);
  bool enter_flight(ActiveRun& run, StepTask& task);
  // The step waits, which takes no place among those in flight.
  void hold(StepTask& task, StepTask::Phase phase);
  bool check_input(ActiveRun& run, StepTask& task);
  void take_limits(ActiveRun& run, StepTask& task);
  bool held_by_breaker(ActiveRun& run, StepTask& task);
  void teach_breaker(StepTask& task, const StepOutcome& outcome);
  void record_value(ActiveRun& run, StepTask& task);
  void start(ActiveRun& run, StepTask& task);
  void mark_or_call(ActiveRun& run, StepTask& task);
  bool parks(ActiveRun& run, StepTask& task);
  void call(ActiveRun& run, StepTask& task);
  void start_after_backoff(ActiveRun& run, StepTask& task);
  void start_statement(ActiveRun& run, StepTask& task);
  void execute(ActiveRun& run, StepTask& task);
  void on_executed(ActiveRun& run, StepTask& task, Result<SqlDone> output);

  void on_success(ActiveRun& run, StepTask& task, StepSucceeded& success);
  void on_failure(ActiveRun& run, StepTask& task, model::Failure failure);
  void on_loss(ActiveRun& run, StepTask& task, StepLost lost);
  void again(ActiveRun& run, StepTask& task, const model::Failure& failure);

  void record(ActiveRun& run, StepTask& task, model::StepState state, std::string output,
              std::optional<model::Failure> failure, std::vector<Emitted> emitted);
  void on_recorded(const std::shared_ptr<ActiveRun>& run, std::uint64_t task, model::StepState state, bool with_end,
                   const Verdict& verdict);
  void on_refused(const std::shared_ptr<ActiveRun>& run, StepTask& task, const std::string& why);
  void drop(ActiveRun& run, StepTask& task);
  void drop_idle(ActiveRun& run);
  void let_go(const std::vector<StepTask*>& tasks);
  base::json::object step_event(const ActiveRun& run, const StepTask& task, model::StepState state) const;
  void with_task(model::RunId run, std::uint64_t task, const std::function<void(ActiveRun&, StepTask&)>& work);

  Parts parts_;
  Runner& runner_;
  std::size_t in_flight_max_;
  std::mt19937_64 random_;
  Waits waits_;
  std::unordered_map<const Callable*, std::pair<std::shared_ptr<const Callable>, std::unique_ptr<jobfile::InputSchema>>>
      input_schemas_;
  // By their turn; the number tells those of one instant apart.
  std::multimap<std::pair<base::Tick, std::uint64_t>, InLine> line_;
  std::uint64_t last_in_line_ = 0;
  std::size_t fresh_in_line_ = 0;
  std::vector<std::pair<model::RunId, std::uint64_t>> parked_;
  std::uint64_t last_task_ = 0;
  std::size_t in_flight_ = 0;  // steps that are at work, not those that wait for something
  std::uint64_t steps_done_ = 0;
  bool draining_ = false;
  std::function<void()> drained_;
};

}  // namespace godwit::engine
