#pragma once
#include <chrono>
#include <compare>
#include <string>
#include <vector>

namespace godwit::engine {

struct Submitted;

// Wherever somebody waits for a turn, a level of priority counts as much as a minute of waiting: the urgent goes first,
// and who has waited long enough goes before the urgent.
inline constexpr auto kPriorityLevel = std::chrono::minutes(1);
template <typename Time>
Time turn_of(Time since, int priority) {
  return since - kPriorityLevel * priority;
}

// How a run stands among those that wait to be at work: the queues in which it needs a place, and how urgent it is.
struct Rank {
  std::vector<std::string> queues;  // in their order, none twice
  int priority = 0;

  // Most runs: they wait for nothing but room, in the order of their numbers.
  bool plain() const { return queues.empty() && priority == 0; }
  auto operator<=>(const Rank&) const = default;
};
// As the run's options say: {"queue": its job's, "turn": its schedule's, "priority"}.
Rank rank_of(const Submitted& run);

}  // namespace godwit::engine
