#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "model/run.hpp"

namespace godwit::engine {

// One step of a graph: a stage, and the number of the item for a stage with foreach.
struct StepRef {
  static constexpr std::int64_t kSingle = -1;
  std::size_t stage = 0;
  std::int64_t item = kSingle;
  bool operator==(const StepRef&) const = default;
};

// What is ready in one run of a graph of stages. Pure: knows no time, no I/O and no job; it is told what happened and
// says what may happen next.
class Plan {
 public:
  enum class Phase { pending, open, done };
  struct Counts {
    std::int64_t total = 0;       // steps of the stage; 1 for a single step
    std::int64_t in_flight = 0;   // handed out by next_step() and not left()
    std::int64_t unrecorded = 0;  // left() and not finished()
    std::int64_t succeeded = 0, failed = 0, skipped = 0;
    std::int64_t finished() const { return succeeded + failed + skipped; }
  };

  // `needs[i]`: the stages that stage i waits for.
  explicit Plan(std::vector<std::vector<std::size_t>> needs);

  // The next stage whose needs are all done and that is not open yet. Call open() for it before asking again.
  std::optional<std::size_t> next_to_open() const;
  // A single step.
  void open(std::size_t stage);
  // A single step that is handed out with the opening, whatever else is open: for a stage that is skipped.
  StepRef open_taken(std::size_t stage);
  // A foreach over `items`, at most `parallel` of them in flight. No items: done at once.
  void open(std::size_t stage, std::int64_t items, int parallel);

  // More items for an open foreach.
  void grow(std::size_t stage, std::int64_t items);

  // Hands out a step that may be started now; each once.
  std::optional<StepRef> next_step();
  // The step's attempt is over and its place is free for the next; what it did is not recorded yet. The steps that are
  // done with but not recorded are bounded by the parallelism too: a store that is away stops the stage, a lost process
  // repeats fewer than twice as many, and one at a time means one after the other's record.
  void left(StepRef step);
  // The step is recorded. Also for a step of an earlier life, once its stage is open.
  void finished(StepRef step, model::StepState state);
  // Whether nothing but the recording of `step` is missing for the whole plan to be done.
  bool is_last(StepRef step) const;

  bool done() const { return stages_done_ == stages_.size(); }
  Phase phase(std::size_t stage) const { return stages_[stage].phase; }
  const Counts& counts(std::size_t stage) const { return stages_[stage].counts; }
  std::int64_t in_flight() const { return in_flight_; }
  std::int64_t unrecorded() const { return unrecorded_; }
  bool is_finished(StepRef step) const;

 private:
  struct Stage {
    Phase phase = Phase::pending;
    std::size_t needs_left = 0;
    std::vector<std::size_t> needed_by;
    Counts counts;
    int parallel = 1;
    bool single = true;
    std::int64_t cursor = 0;     // items before it were handed out or are finished
    std::vector<bool> finished;  // by item, for those recorded
  };
  bool has_room(const Stage& stage) const;
  void complete(std::size_t stage);

  std::vector<Stage> stages_;
  std::vector<std::size_t> ready_;  // stages to open, the lowest last
  std::vector<std::size_t> open_;   // stages with steps to hand out
  std::size_t stages_done_ = 0;
  std::int64_t in_flight_ = 0;
  std::int64_t unrecorded_ = 0;
};

}  // namespace godwit::engine
