#include "engine/backoff.hpp"

#include <algorithm>
#include <cmath>

namespace godwit::engine {

base::Duration backoff(const model::Retry& retry, int failed, double chance, std::optional<base::Duration> asked) {
  const double first = static_cast<double>(retry.backoff.count());
  // A first pause longer than the default maximum is meant as it is written.
  const double limit = static_cast<double>(std::max(retry.max, retry.backoff).count());
  // The exponent is bounded so that the power stays finite; the limit has long been reached by then.
  const double grown = std::min(limit, first * std::pow(retry.factor, std::min(failed - 1, 200)));
  const double jittered = grown * (1.0 + retry.jitter * (2.0 * chance - 1.0));
  const base::Duration pause(static_cast<std::int64_t>(std::max(0.0, jittered)));
  return asked ? std::max(pause, *asked) : pause;
}

}  // namespace godwit::engine
