#pragma once
#include "base/time.hpp"

namespace godwit::model {

// When a provider is taken for down: at least so many calls of a while went wrong, and at least that share of them.
struct BreakerSpec {
  bool off = false;
  int failures = 10;
  double share = 0.5;
  base::Duration window = std::chrono::minutes(1);
  base::Duration pause = std::chrono::seconds(10);     // before the first try
  base::Duration pause_max = std::chrono::minutes(5);  // each try in vain doubles the pause up to this
};

}  // namespace godwit::model
