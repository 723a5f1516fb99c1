#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>

#include "base/json.hpp"
#include "model/run.hpp"

namespace godwit::engine {

// A change of a run as its followers see it: {"event":"step"|"progress"|"log"|"state"|..., "run":N, ...}.
using Follower = std::function<void(const base::json::object& event)>;

// What a follower of a run hears of: who only waits for its end need not be woken by each step.
enum class Interest { states, everything };

// Who watches which run. Building an event costs time, so callers ask watched() first.
class Followers {
 public:
  std::uint64_t add(model::RunId run, Interest interest, Follower follower);
  void remove(std::uint64_t number);
  // Whether anybody hears of events that are for those of this interest.
  bool watched(model::RunId run, Interest interest) const;
  // A change of state, for all, or else for those that are interested in everything. A follower may add and remove
  // followers, itself too.
  void tell(model::RunId run, Interest interest, const base::json::object& event);

 private:
  struct Entry {
    Interest interest;
    Follower follower;
  };

  std::unordered_map<model::RunId, std::map<std::uint64_t, Entry>> by_run_;
  std::unordered_map<std::uint64_t, model::RunId> runs_;
  std::uint64_t last_ = 0;
};

}  // namespace godwit::engine
