#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/compiled_job.hpp"
#include "engine/limits.hpp"
#include "engine/plan.hpp"
#include "engine/step_runner.hpp"
#include "engine/store.hpp"
#include "expression/scope.hpp"

namespace godwit::engine {

// One step that is under way in a run: from the moment the plan hands it out until its end is recorded.
struct StepTask {
  enum class Phase { limit, marking, queued, running, backoff, doubtful, recording };

  std::uint64_t number = 0;  // unique within the engine's life
  StepRef step;
  std::string path;
  std::string input;
  std::int64_t args_hash = 0;
  int attempt = 1;
  int lost = 0;      // attempts of it that ended with the loss of their host
  double blame = 0;  // its share of those losses
  Phase phase = Phase::limit;
  base::Instant since;       // of the phase
  base::Instant started_at;  // of the attempt
  Limits::Ticket ticket = 0;
  std::uint64_t call = 0;   // the runner's number
  std::uint64_t timer = 0;  // of the backoff
  base::Instant next_at;    // end of the backoff
  std::uint64_t progress_done = 0, progress_total = 0;
  model::Failure last_failure;
  std::shared_ptr<const Callable> callable;
  std::unique_ptr<StepListener> listener;
};

// What a run knows of one of its stages while it is in memory.
struct StageData {
  base::json::array items;           // of a foreach
  std::vector<std::string> outputs;  // JSON text by item, when a later expression wants them
  std::map<std::int64_t, model::Failure> failures;
  std::map<std::int64_t, model::StepState> not_succeeded;
  bool skipped = false;     // `when` was false
  base::json::value value;  // stages.<name>, once the stage is done
  std::shared_ptr<const Callable> callable;
};

// A run that is in memory: what is recorded of it, and what is under way.
struct ActiveRun {
  ActiveRun(Submitted submitted, std::shared_ptr<const CompiledJob> compiled);

  Submitted record;
  std::shared_ptr<const CompiledJob> job;
  Plan plan;
  base::json::value params;
  base::json::value about;  // the name `run` in expressions
  std::vector<StageData> stages;
  expression::Scope scope;
  std::unordered_map<std::uint64_t, std::unique_ptr<StepTask>> tasks;
  std::map<std::string, UnfinishedRun::Attempts> attempts;  // of an earlier life, by path
  std::vector<StepDone> recorded;                           // of an earlier life, until their stages are open

  base::json::object pins;         // what each `uses` meant at the submit: {"callable","plugin","version"}
  bool accepts_installed = false;  // a person said to go on with the versions that are installed

  bool touched = false;  // a step was handed out in this life
  bool paused = false;
  bool cancelling = false;
  std::string cancelled_by;
  std::string blocked;  // why, empty when it is not
  std::string blocked_path;
  std::optional<model::Failure> failure;  // the run is ending for it
  std::string failed_path;
  bool ending = false;   // its end is being recorded
  bool starved = false;  // waits for a place among the steps in flight
  std::uint64_t timeout_timer = 0;
  base::json::object fields;  // the newest fields of progress a plugin gave
  bool noted = false;         // its progress stands in the store, and so must the last of it
  bool telling = false;       // followers will be told of progress soon

  model::RunId id() const { return record.run; }
  model::RunState state() const;
  // Makes stages.<name> known to expressions; for a stage that is done and whose outputs are wanted.
  void publish(std::size_t stage);
  struct Done {
    std::int64_t done = 0, total = 0, failed = 0;
  };
  Done done() const;
};

}  // namespace godwit::engine
