#pragma once
#include "base/time.hpp"
#include "model/job.hpp"

namespace godwit::engine {

// The pause after the `failed`-th failed attempt (from 1): see model::Retry. `chance` in [0,1) decides the jitter;
// `asked` is what the provider asked for.
base::Duration backoff(const model::Retry& retry, int failed, double chance, std::optional<base::Duration> asked);

}  // namespace godwit::engine
