#include "engine/followers.hpp"

#include <algorithm>
#include <vector>

namespace godwit::engine {

std::uint64_t Followers::add(model::RunId run, Interest interest, Follower follower) {
  const std::uint64_t number = ++last_;
  by_run_[run].emplace(number, Entry{interest, std::move(follower)});
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

bool Followers::watched(model::RunId run, Interest interest) const {
  if (by_run_.empty()) return false;
  const auto found = by_run_.find(run);
  return found != by_run_.end() && std::any_of(found->second.begin(), found->second.end(),
                                               [&](const auto& it) { return it.second.interest >= interest; });
}

void Followers::tell(model::RunId run, Interest interest, const base::json::object& event) {
  const auto found = by_run_.find(run);
  if (found == by_run_.end()) return;
  std::vector<std::pair<std::uint64_t, Follower>> followers;
  for (const auto& [number, entry] : found->second)
    if (entry.interest >= interest) followers.emplace_back(number, entry.follower);
  for (const auto& [number, follower] : followers)
    if (runs_.contains(number)) follower(event);
}

}  // namespace godwit::engine
