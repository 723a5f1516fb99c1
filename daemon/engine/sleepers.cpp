#include "engine/sleepers.hpp"

namespace godwit::engine {

namespace {

// Far instants are approached in days: a tick of nanoseconds does not reach as far as an instant.
constexpr base::Duration kFarthest = std::chrono::hours(24);

}  // namespace

void Sleepers::add(model::RunId run, std::optional<base::Instant> wake_at) {
  runs_[run] = wake_at.value_or(base::Instant::max());
  if (!wake_at) return;
  queue_.emplace(*wake_at, run);
  arm();
}

void Sleepers::arm() {
  if (queue_.empty() || (timer_ && armed_for_ <= queue_.top().first)) return;
  if (timer_) clock_.cancel(timer_);
  armed_for_ = queue_.top().first;
  timer_ = clock_.at(clock_.tick() + std::min(kFarthest, armed_for_ - clock_.now()), [this] { wake(); });
}

void Sleepers::wake() {
  timer_ = 0;
  const auto now = clock_.now();
  while (!queue_.empty() && queue_.top().first <= now) {
    const auto [at, run] = queue_.top();
    queue_.pop();
    const auto found = runs_.find(run);
    if (found == runs_.end() || found->second != at) continue;
    runs_.erase(found);
    due_(run);
  }
  arm();
}

}  // namespace godwit::engine
