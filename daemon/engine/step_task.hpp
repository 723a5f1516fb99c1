#pragma once
#include <memory>

#include "engine/limits.hpp"
#include "engine/step_request.hpp"
#include "engine/store.hpp"

namespace godwit::engine {

// One step that is under way in a run: from the moment the driver hands it out until its end is recorded.
struct StepTask {
  // `breaker` waits for its provider to be tried again, `place` for one among the steps in flight, `parked` for the
  // node's lease. `opening` and `waiting` are of steps that wait for something outside the run.
  enum class Phase {
    breaker,
    limit,
    place,
    marking,
    queued,
    running,
    backoff,
    doubtful,
    recording,
    opening,
    waiting,
    parked
  };

  std::uint64_t number = 0;  // unique within the engine's life
  StepRequest request;
  int attempt = 1;
  bool probes = false;  // its call shows whether the provider is there again
  int lost = 0;         // attempts of it that ended with the loss of their host
  double blame = 0;     // its share of those losses
  Phase phase = Phase::limit;
  base::Instant since;       // of the phase
  base::Instant started_at;  // of the attempt
  Limits::Ticket ticket = 0;
  std::uint64_t call = 0;   // the runner's number
  std::uint64_t timer = 0;  // of the backoff
  base::Instant next_at;    // end of the backoff
  std::uint64_t progress_done = 0, progress_total = 0;
  model::Failure last_failure;
  std::unique_ptr<StepListener> listener;
  std::unique_ptr<WaitOpened> wait;        // of a step that waits
  std::optional<base::Instant> remind_at;  // of an approval
  bool asking = false;                     // the store is being asked for its lock
  bool unwanted = false;                   // nobody waits for it any more
  bool counted = true;                     // among the steps in flight
  std::vector<Fact> more;                  // to be recorded with its end

  const std::string& path() const { return request.path; }
  const StepPolicy& policy() const { return *request.policy; }
  // Whether nothing of it is under way outside: it can be given up at once.
  bool is_idle() const {
    switch (phase) {
      case Phase::breaker:
      case Phase::limit:
      case Phase::place:
      case Phase::parked:
      case Phase::backoff:
      case Phase::doubtful:
      case Phase::waiting:
        return true;
      default:
        return false;
    }
  }
  // When it goes on by itself; empty while it does not wait, or waits for others only.
  std::optional<base::Instant> wakes_at() const {
    if (phase == Phase::backoff) return next_at;
    if (phase != Phase::waiting) return std::nullopt;
    return remind_at && (!wait->until || *remind_at < *wait->until) ? remind_at : wait->until;
  }
};

}  // namespace godwit::engine
