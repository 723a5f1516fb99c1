#include "host/lookout.hpp"

#include <algorithm>

namespace godwit::host {

void Lookout::came_after(Time pause) {
  if (pause > kShortPause) {
    streak_ = 0;
    return;
  }
  if (streak_ >= wanted_) wanted_ = std::max(kStreak, wanted_ - 1);
  streak_ = std::min(streak_ + 1, kStreakMax);
}

void Lookout::in_vain() {
  streak_ = 0;
  wanted_ = std::min(2 * wanted_, kStreakMax);
}

}  // namespace godwit::host
