#include "engine/followers.hpp"

#include <vector>

namespace godwit::engine {

std::uint64_t Followers::add(model::RunId run, Follower follower) {
  const std::uint64_t number = ++last_;
  by_run_[run].emplace(number, std::move(follower));
  runs_.emplace(number, run);
  return number;
}

void Followers::remove(std::uint64_t number) {
  const auto found = runs_.find(number);
  if (found == runs_.end()) return;
  const auto run = by_run_.find(found->second);
  run->second.erase(number);
  if (run->second.empty()) by_run_.erase(run);
  runs_.erase(found);
}

void Followers::tell(model::RunId run, const base::json::object& event) {
  const auto found = by_run_.find(run);
  if (found == by_run_.end()) return;
  std::vector<std::pair<std::uint64_t, Follower>> followers(found->second.begin(), found->second.end());
  for (const auto& [number, follower] : followers)
    if (runs_.contains(number)) follower(event);
}

}  // namespace godwit::engine
