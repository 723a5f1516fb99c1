#pragma once
#include <optional>

#include "base/time.hpp"

namespace godwit::model {

// What a provider says of its own limit, as in the headers RateLimit-Remaining and RateLimit-Reset.
struct Quota {
  double remaining = 0;              // tokens that it lets through until it counts anew
  base::Duration reset{};            // when that is, from now
  std::optional<double> limit = {};  // tokens from one reset to the next
};

}  // namespace godwit::model
