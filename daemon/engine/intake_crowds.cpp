// The part of Intake that keeps runs which only wait for limits or providers from filling memory (Crowds).
#include "engine/intake.hpp"

namespace godwit::engine {
namespace {

constexpr auto kLookPause = std::chrono::milliseconds(250);

}  // namespace

void Intake::watch_crowds() {
  if (crowds_due_ || stopped_ || draining_ || !crowds_.is_worth_a_look(parts_.runner.runs().size())) return;
  crowds_due_ = true;
  parts_.clock.at(parts_.clock.tick() + kLookPause, [this] {
    crowds_due_ = false;
    if (stopped_ || draining_) return;
    for (const auto run : crowds_.look(parts_.runner.runs())) set_aside(run);
    // What fills memory may begin to wait at any time, and nothing else may happen then.
    if (backlog()) refill();
  });
}

// It waits in the store again. Who has begun comes before all who have not.
void Intake::set_aside(model::RunId id) {
  ActiveRun* run = parts_.runner.find(id);
  // Those set aside before it may have let it go on.
  if (!run || !run->is_held()) return;
  const Rank rank = crowds_.rank_of(run->record);
  const auto since = run->record.submitted_at;
  const bool begun = !run->is_as_submitted();
  parts_.runner.put_away(*run);
  looks_.left(id);
  parts_.queues.leave(id, rank);
  begun ? wait_for_place(id, rank) : parts_.queues.add(id, rank, since);
}

}  // namespace godwit::engine
