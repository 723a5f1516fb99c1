#pragma once
#include <cstdint>
#include <functional>

#include "base/time.hpp"

namespace godwit::engine {

// Time and the engine's own queue of work, so that a test can step both. Engine thread only.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual base::Instant now() const = 0;
  virtual base::Tick tick() const = 0;
  // Calls `work` on the engine's thread once `when` has come, never from inside this call. Returns a number for
  // cancel(), never 0.
  virtual std::uint64_t at(base::Tick when, std::function<void()> work) = 0;
  virtual void cancel(std::uint64_t timer) = 0;
  // Calls `work` on the engine's thread after what is being done now.
  virtual void post(std::function<void()> work) = 0;
};

}  // namespace godwit::engine
