#pragma once
#include <chrono>

namespace godwit::host {

// How long the reading thread looks for the next request before it sleeps. Waking a process up costs more than a short
// call, so where one request follows the other it pays to stay awake; where it does not, not a microsecond is spent.
class Lookout {
 public:
  using Time = std::chrono::nanoseconds;
  // A pause between an answer and the next request up to this, waking up included, is short.
  static constexpr Time kShortPause = std::chrono::microseconds(100);
  // The longest look.
  static constexpr Time kPatience = std::chrono::microseconds(50);
  // So many short pauses in a row make the first look; each look in vain doubles their number, each that was not takes
  // one off.
  static constexpr int kStreak = 8;
  static constexpr int kStreakMax = 1024;

  // Zero when it is better to sleep at once.
  Time patience() const { return streak_ >= wanted_ ? kPatience : Time::zero(); }
  // The next request came so long after the last answer.
  void came_after(Time pause);
  // Nothing came within patience().
  void in_vain();

 private:
  int streak_ = 0;
  int wanted_ = kStreak;
};

}  // namespace godwit::host
