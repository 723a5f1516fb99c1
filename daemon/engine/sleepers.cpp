#include "engine/sleepers.hpp"

namespace godwit::engine {

namespace {

// Far instants are approached in days: a tick of nanoseconds does not reach as far as an instant.
constexpr base::Duration kFarthest = std::chrono::hours(24);
constexpr std::size_t kAlarmsSpare = 1000;

}  // namespace

void Sleepers::add(model::RunId run, std::optional<base::Instant> wake_at) {
  runs_[run] = wake_at.value_or(base::Instant::max());
  if (!wake_at) return;
  queue_.emplace(*wake_at, run);
  tidy();
  arm();
}

// A run that is often woken early, by signals, would leave an entry for each time.
void Sleepers::tidy() {
  if (queue_.size() < 2 * runs_.size() + kAlarmsSpare) return;
  std::vector<Entry> entries;
  entries.reserve(runs_.size());
  for (const auto& [run, at] : runs_)
    if (at != base::Instant::max()) entries.emplace_back(at, run);
  queue_ = decltype(queue_)(std::greater<>(), std::move(entries));
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
