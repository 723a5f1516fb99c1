#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>

#include "base/json.hpp"
#include "model/run.hpp"

namespace godwit::engine {

// Who watches which run. Building an event costs time, so callers ask watched() first.
class Followers {
 public:
  using Follower = std::function<void(const base::json::object& event)>;

  std::uint64_t add(model::RunId run, Follower follower);
  void remove(std::uint64_t number);
  bool watched(model::RunId run) const { return !by_run_.empty() && by_run_.contains(run); }
  // A follower may add and remove followers, itself too.
  void tell(model::RunId run, const base::json::object& event);

 private:
  std::unordered_map<model::RunId, std::map<std::uint64_t, Follower>> by_run_;
  std::unordered_map<std::uint64_t, model::RunId> runs_;
  std::uint64_t last_ = 0;
};

}  // namespace godwit::engine
