#pragma once
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "engine/active_run.hpp"
#include "engine/dispatcher.hpp"

namespace godwit::engine {

// Keeps the lives of the runs in memory: asks their drivers what to do next, blocks, fails and ends them. Everything it
// decides follows from the driver and the facts; what is not yet recorded is never built upon.
class Runner {
 public:
  using Parts = Dispatcher::Parts;
  struct Settings {
    std::size_t in_flight_max = 1024;
    std::size_t runs_max = 4096;  // from half of it on, runs that only wait leave memory at once
    std::uint64_t seed = 0;
  };
  struct Hooks {
    std::function<void(ActiveRun&, const RunDone&)> ended;  // the run's end is stored and it has left memory
    // It has left memory to wait, for a lock too.
    std::function<void(ActiveRun&, std::optional<base::Instant> wake_at, bool for_lock)> rested;
    std::function<void(const Submitted&)> left;   // it has left memory for another node
    std::function<bool(model::RunId)> is_here;    // in memory, or about to come back to it; unset: all runs are
    std::function<void()> has_begun;              // one of those in memory that wait for a place among the steps in flight
    std::function<void()> fenced;                                          // another process took this node's place
    std::function<void(model::RunId run, const ActiveRun& newer)> cancel;  // by a run that takes its turn
    Children children;
  };
  Runner(Parts parts, const Settings& settings, Hooks hooks);
  ~Runner();

  // Takes up a run, with what an earlier life recorded of it in `recorded` and `attempts`.
  void take_up(std::shared_ptr<ActiveRun> run);
  // Does whatever the run can do now.
  void advance(ActiveRun& run);
  // Ends what is under way, then the run, as the run's flags say (cancelling, failure).
  void wind_up(ActiveRun& run);
  // Starts no further step of any run. `drained` comes when none is being executed.
  void drain(std::function<void()> drained) { dispatcher_.drain(runs_, std::move(drained)); }

  // Stops a run until a person decides, and lets it go on: what was of unknown outcome is attempted again.
  void block(ActiveRun& run, std::string why, std::string path, base::json::object sides = {});
  // What went wrong with the run in the engine itself; it is blocked, if it is still there.
  void on_defect(model::RunId run, const base::Error& error);
  void unblock(ActiveRun& run);
  // The run cannot go on; the first failure counts.
  void fail(ActiveRun& run, model::Failure failure, std::string path);
  // Takes a run out of memory as it is; its next life begins with what is stored.
  void put_away(ActiveRun& run);
  // Lets a run leave memory for another node, now or when what is under way has ended.
  void give_away(ActiveRun& run);
  void unpark() { dispatcher_.unpark(); }
  // Lets a run leave memory soon when all its steps wait.
  void consider_rest(ActiveRun& run);
  void tell_state(ActiveRun& run);
  // It may have a lock now that it waits for.
  void ask_for_locks(ActiveRun& run);
  void note_progress(ActiveRun& run);
  // Tells who watches it, soon, how far it is and what it does then.
  void tell_progress(ActiveRun& run);

  // The run's end as its driver and its flags say, and what follows once that is stored.
  RunDone make_end(ActiveRun& run);
  void end(ActiveRun& run, const RunDone& done);
  void fenced() const { hooks_.fenced(); }
  void has_begun() const { hooks_.has_begun(); }
  Waits& waits() { return dispatcher_.waits(); }

  ActiveRun* find(model::RunId run) const;
  bool is_here(model::RunId run) const { return !hooks_.is_here || hooks_.is_here(run); }
  const std::unordered_map<model::RunId, std::shared_ptr<ActiveRun>>& runs() const { return runs_; }
  std::size_t in_flight() const { return dispatcher_.in_flight(); }
  std::size_t fresh_in_line() const { return dispatcher_.fresh_in_line(); }
  std::uint64_t steps_done() const { return dispatcher_.steps_done(); }

 private:
  class Control;

  void ask_driver(ActiveRun& run);
  std::shared_ptr<const Callable> resolve(ActiveRun& run, const std::string& uses, const std::string& path);
  void finish(ActiveRun& run);
  void close(ActiveRun& run, Outcome outcome);
  Outcome outcome_of(ActiveRun& run);
  std::vector<Fact> end_of_children(ActiveRun& run);
  void rest(ActiveRun& run);
  bool goes_elsewhere(ActiveRun& run);
  void leave_memory(ActiveRun& run, std::optional<base::Instant> wake_at);
  void ask_for_turn(ActiveRun& run);
  void on_turn(ActiveRun& run, Locks::Taken taken);
  void skip(ActiveRun& run);
  void continue_as(ActiveRun& run, const std::string& params);
  void store_end(const std::shared_ptr<ActiveRun>& run, std::optional<ChildRun> next);
  void arm_timeout(ActiveRun& run);
  void look_at_progress_later();
  void flush_progress();

  Parts parts_;
  Dispatcher dispatcher_;
  const std::size_t runs_max_;
  Hooks hooks_;
  std::unordered_map<model::RunId, std::shared_ptr<ActiveRun>> runs_;
  // Runs whose progress changed since it was last noted: of late, and since an interval ago. Who ends before that had
  // nothing to note.
  std::unordered_set<model::RunId> dirty_, due_;
  std::uint64_t progress_timer_ = 0;
};

}  // namespace godwit::engine
