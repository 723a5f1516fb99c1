#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "engine/compiled_job.hpp"
#include "engine/driver.hpp"
#include "engine/limits.hpp"
#include "engine/rank.hpp"
#include "engine/step_task.hpp"
#include "engine/store.hpp"

namespace godwit::engine {

// A run that is in memory: its driver, and what is under way.
struct ActiveRun {
  ActiveRun(Submitted submitted, std::shared_ptr<const CompiledJob> compiled);

  Submitted record;
  std::shared_ptr<const CompiledJob> job;
  std::unique_ptr<RunControl> control;  // made by the runner that takes the run up
  std::unique_ptr<Driver> driver;
  Recorded recorded;  // of an earlier life, until the driver takes it
  std::unordered_map<std::uint64_t, std::unique_ptr<StepTask>> tasks;
  std::map<std::string, UnfinishedRun::Attempts> attempts;  // of an earlier life, by path
  std::map<std::string, UnfinishedRun::Wait> waits;         // likewise
  std::vector<Signal> signals;                              // that no step has taken
  std::vector<model::RunId> orphans;                        // children that are cancelled with the run's end
  Limits::Declaration limits;                               // by its job's word

  base::json::object pins;         // what each `uses` meant at the submit: {"callable","plugin","version"}
  bool accepts_installed = false;  // a person said to go on with the versions that are installed

  base::Instant last_end{};  // of the newest recorded step
  bool touched = false;      // a step was handed out in this life
  bool advancing = false;    // its driver is being asked
  bool paused = false;
  bool cancelling = false;
  std::string cancelled_by;
  std::string blocked;  // why, empty when it is not
  std::string blocked_path;
  std::optional<model::Failure> failure;  // the run is ending for it
  std::string failed_path;
  bool ending = false;             // its end is being recorded
  std::optional<Outcome> closing;  // how it ends once the steps of its end are done
  bool starved = false;            // waits for a place among the steps in flight
  std::pair<base::Tick, std::uint64_t> in_line{};  // since when, and after whom, it waited for its turn at such places
  base::Tick turn_began = base::Tick::min();       // what of it is due until its turn ends need not wait for another
  int turn_steps = 0;                              // begun in this turn
  Rank rank;                       // its queues and its priority
  struct Turn {
    std::string lock;  // its name
    std::string key;   // for people
    int limit = 1;
    model::Concurrency::Then then = model::Concurrency::Then::queue;
  };
  // From what CompiledJob::options() says.
  static Turn turn_of(const std::string& job, const base::json::object& given);
  std::optional<Turn> concurrency;  // the lock that it has from its start to its end
  bool waits_its_turn = false;      // it does not have that lock yet
  bool asks_its_turn = false;       // the store is being asked for it
  std::vector<LockRow> before;      // who has it, and who comes first
  std::uint64_t timeout_timer = 0;
  std::uint64_t rest_timer = 0;  // after which it leaves memory, if it still waits
  bool resting = false;          // its leaving memory is being recorded
  bool leaving = false;          // it goes to another node as soon as nothing of it is under way
  base::json::object fields;     // the newest fields of progress that plugins and the script gave
  bool told_of_fields = false;   // that there is no room for some of them
  bool noted = false;            // its progress may stand in the store, and so must the last of it
  bool telling = false;          // followers will be told of progress soon

  model::RunId id() const { return record.run; }
  // The end of a step that is about to be recorded. A later life takes the steps in the order of their ends, so no two
  // are equal, whatever the clock does.
  base::Instant next_end(base::Instant now) {
    return last_end = std::max(now, last_end + std::chrono::microseconds(1));
  }
  model::RunState state() const;
  // When it must end, by the job's timeout.
  std::optional<base::Instant> deadline() const;
  // Whether nothing of it is being executed or recorded.
  bool is_still() const;
  // Whether nothing happens in it until `wakes_at()` or until something comes from outside.
  bool only_waits() const;
  std::optional<base::Instant> wakes_at() const;
  // Whether it only waits for limits or providers.
  bool is_held() const;
  // Whether nothing is known of it but its submit: in the store it is queued as it was.
  bool is_as_submitted() const;
  // Whether it waits for its turn, or a step of it for a lock.
  bool waits_for_lock() const;
  // Whether it may start steps now.
  bool may_go_on() const {
    return !paused && !waits_its_turn && !ending && !cancelling && !failure && blocked.empty();
  }
};

// When a run that ends so is deleted, by what its job said at the submit; empty for never.
std::optional<base::Instant> delete_at(const Submitted& run, base::Instant end);

}  // namespace godwit::engine
