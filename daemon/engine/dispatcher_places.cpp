// The part of Dispatcher that is about places among the steps in flight, and about who has them next.
#include "engine/dispatcher.hpp"
#include "engine/runner.hpp"

namespace godwit::engine {
namespace {

// The part of the places for steps in flight that there is beside them for urgent runs.
constexpr std::size_t kReservedPart = 8;
// Runs take turns at the places among the steps in flight. A turn is worth several steps, and the more time the longer
// they take: what has just been touched is touched again while the processor still has it at hand, and runs that were
// begun end before others begin.
constexpr auto kTurnLength = std::chrono::milliseconds(100);
constexpr auto kTurnMost = std::chrono::seconds(1);
constexpr int kTurnSteps = 16;

bool is_turn_over(const ActiveRun& run, base::Tick now) {
  return now >=
         run.turn_began + (run.turn_steps < kTurnSteps ? base::Duration(kTurnMost) : base::Duration(kTurnLength));
}

}  // namespace

bool Dispatcher::has_room_for(ActiveRun& run) {
  if (!is_full(run)) return true;
  if (!std::exchange(run.starved, true)) stand_in_line(run, 0);
  return false;
}

// What is urgent need not wait for what waits itself.
bool Dispatcher::is_full(const ActiveRun& run) const {
  const std::size_t reserve = run.rank.priority > 0 ? in_flight_max_ / kReservedPart : 0;
  return in_flight_ >= in_flight_max_ + reserve;
}

void Dispatcher::take_turn(ActiveRun& run) const {
  const auto now = parts_.clock.tick();
  if (!is_turn_over(run, now)) return;
  run.turn_began = now;
  run.turn_steps = 0;
}

void Dispatcher::stand_in_line(ActiveRun& run, std::uint64_t task) {
  const auto now = parts_.clock.tick();
  if (is_turn_over(run, now)) run.in_line = {now, ++last_in_line_};
  const bool fresh = !run.touched && run.rank.priority >= 0;
  if (fresh) ++fresh_in_line_;
  line_.emplace(std::pair(turn_of(run.in_line.first, run.rank.priority), run.in_line.second),
                InLine{run.id(), task, fresh});
}

// A step that has waited for something else comes back; its limits it has already.
bool Dispatcher::enter_flight(ActiveRun& run, StepTask& task) {
  if (task.counted) return true;
  if (is_full(run)) {
    task.phase = StepTask::Phase::place;
    task.since = parts_.clock.now();
    stand_in_line(run, task.number);
    return false;
  }
  task.counted = true;
  ++in_flight_;
  return true;
}

void Dispatcher::hold(StepTask& task, StepTask::Phase phase) {
  task.phase = phase;
  task.since = parts_.clock.now();
  leave_flight(task);
}

void Dispatcher::leave_flight(StepTask& task) {
  if (!std::exchange(task.counted, false)) return;
  --in_flight_;
  if (draining_ && in_flight_ == 0 && drained_) parts_.clock.post(std::exchange(drained_, nullptr));
  feed();
}

void Dispatcher::feed() {
  if (line_.empty() || draining_) return;
  const InLine next = line_.begin()->second;
  line_.erase(line_.begin());
  if (next.fresh) --fresh_in_line_;
  parts_.clock.post([this, next] {
    if (ActiveRun* run = runner_.find(next.run)) {
      take_turn(*run);
      if (next.task)
        with_task(next.run, next.task, [this](ActiveRun& active, StepTask& task) {
          if (task.phase == StepTask::Phase::place) start(active, task);
        });
      else {
        run->starved = false;
        runner_.advance(*run);
      }
    }
    if (next.fresh) runner_.has_begun();
    // It may be gone, or have had nothing left to begin: the place is for who comes after it.
    if (in_flight_ < in_flight_max_) feed();
  });
}

}  // namespace godwit::engine
