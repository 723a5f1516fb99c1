#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "engine/active_run.hpp"
#include "engine/clock.hpp"
#include "engine/followers.hpp"
#include "engine/limits.hpp"
#include "engine/step_runner.hpp"
#include "engine/store.hpp"
#include "jobfile/schema.hpp"

namespace godwit::engine {

// Drives the runs in memory: opens stages, takes limits, has steps executed, records how they ended, ends runs.
// Everything it decides follows from the plan and the facts; what is not yet recorded is never built upon.
class Runner {
 public:
  struct Parts {
    Store& store;
    StepRunner& steps;
    Clock& clock;
    Limits& limits;
    Followers& followers;
  };
  // `ended` is called when a run's end is stored and it has left memory; `fenced` when another process took this node's
  // place.
  Runner(Parts parts, std::size_t in_flight_max, std::uint64_t seed, std::function<void(ActiveRun&)> ended,
         std::function<void()> fenced);
  ~Runner();

  // Takes up a run, with what an earlier life recorded of it in `recorded` and `attempts`.
  void take_up(std::shared_ptr<ActiveRun> run);
  // Does whatever the run can do now.
  void advance(ActiveRun& run);
  // Ends what is under way, then the run, as the run's flags say (cancelling, failure).
  void wind_up(ActiveRun& run);
  // Starts no further step of any run. `drained` comes when none is being executed.
  void drain(std::function<void()> drained);

  // Stops a run until a person decides, and lets it go on: what was of unknown outcome is attempted again.
  void unblock(ActiveRun& run);
  void block(ActiveRun& run, std::string why, std::string path);
  void tell_state(ActiveRun& run);

  ActiveRun* find(model::RunId run) const;
  const std::unordered_map<model::RunId, std::shared_ptr<ActiveRun>>& runs() const { return runs_; }
  std::size_t in_flight() const { return in_flight_; }
  std::uint64_t steps_done() const { return steps_done_; }

 private:
  class Listener;

  void open_stages(ActiveRun& run);
  void open_stage(ActiveRun& run, std::size_t stage);
  void open_list(ActiveRun& run, std::size_t stage);
  void restore(ActiveRun& run, std::size_t stage);
  void skip_stage(ActiveRun& run, std::size_t stage);
  bool resolve(ActiveRun& run, std::size_t stage);

  void begin(ActiveRun& run, StepRef step);
  bool make_input(ActiveRun& run, StepTask& task);
  void take_limits(ActiveRun& run, StepTask& task);
  void mark_or_start(ActiveRun& run, StepTask& task);
  void start(ActiveRun& run, StepTask& task);
  void start_after_backoff(ActiveRun& run, StepTask& task);

  void on_outcome(ActiveRun& run, StepTask& task, StepOutcome outcome);
  void on_success(ActiveRun& run, StepTask& task, StepSucceeded& success);
  void on_failure(ActiveRun& run, StepTask& task, model::Failure failure);
  void on_loss(ActiveRun& run, StepTask& task, StepLost lost);
  void again(ActiveRun& run, StepTask& task, const model::Failure& failure);
  void shape_output(ActiveRun& run, StepTask& task, StepSucceeded& success);

  void record(ActiveRun& run, StepTask& task, model::StepState state, std::string output,
              std::optional<model::Failure> failure, std::vector<Emitted> emitted);
  void on_recorded(const std::shared_ptr<ActiveRun>& run, std::uint64_t task, model::StepState state, bool with_end,
                   const Verdict& verdict);
  void drop(ActiveRun& run, StepTask& task);
  RunDone make_end(ActiveRun& run);
  void finish(ActiveRun& run);
  void end(ActiveRun& run, const RunDone& done);
  void fail_run(ActiveRun& run, model::Failure failure, std::string path);
  void arm_timeout(ActiveRun& run);

  void left_flight();
  void note_progress(ActiveRun& run);
  void flush_progress();
  base::json::object step_event(const ActiveRun& run, const StepTask& task, model::StepState state) const;
  void tell_progress(ActiveRun& run);
  template <typename Work>
  void with_task(model::RunId run, std::uint64_t task, Work work);

  Parts parts_;
  std::size_t in_flight_max_;
  std::function<void(ActiveRun&)> ended_;
  std::function<void()> fenced_;
  std::mt19937_64 random_;
  std::unordered_map<model::RunId, std::shared_ptr<ActiveRun>> runs_;
  std::unordered_map<const Callable*, std::pair<std::shared_ptr<const Callable>, std::unique_ptr<jobfile::InputSchema>>>
      input_schemas_;
  std::deque<model::RunId> starved_;
  std::unordered_set<model::RunId> dirty_;  // runs whose progress changed since it was last noted
  std::uint64_t progress_timer_ = 0;
  std::uint64_t last_task_ = 0;
  std::size_t in_flight_ = 0;  // steps handed out and not left
  std::uint64_t steps_done_ = 0;
  bool draining_ = false;
  std::function<void()> drained_;
};

}  // namespace godwit::engine
