#include "engine/quota.hpp"

#include <algorithm>

namespace godwit::engine {
namespace {

// Gives `left` in even parts to those who lack something, none more than he lacks; returns what is left.
std::int64_t pour(std::int64_t left, std::map<int, std::int64_t>& lacking, std::map<int, std::int64_t>& targets) {
  while (left > 0 && !lacking.empty()) {
    const auto part = std::max<std::int64_t>(1, left / static_cast<std::int64_t>(lacking.size()));
    for (auto place = lacking.begin(); place != lacking.end() && left > 0;) {
      auto& [node, lack] = *place;
      const auto given = std::min({part, lack, left});
      targets[node] += given;
      lack -= given;
      left -= given;
      place = lack == 0 ? lacking.erase(place) : std::next(place);
    }
  }
  return left;
}

}  // namespace

std::map<int, std::int64_t> fair_targets(std::int64_t total, const std::map<int, QuotaAsk>& asks) {
  std::map<int, std::int64_t> targets;
  std::vector<std::pair<base::Instant, int>> waiting;
  for (const auto& [node, ask] : asks) {
    targets[node] = 0;
    if (ask.need > 0) waiting.emplace_back(ask.since.value_or(base::Instant::max()), node);
  }
  std::sort(waiting.begin(), waiting.end());
  std::int64_t left = total;
  for (const auto& [since, node] : waiting) {
    const auto need = std::min(asks.at(node).need, total);
    if (need > left) break;
    targets[node] = need;
    left -= need;
  }
  std::map<int, std::int64_t> lacking, everybody;
  for (const auto& [node, ask] : asks) {
    if (ask.wanted > targets[node]) lacking[node] = ask.wanted - targets[node];
    everybody[node] = total;
  }
  left = pour(left, lacking, targets);
  pour(left, everybody, targets);
  return targets;
}

QuotaGrant grant_quota(std::int64_t total, int node, const std::map<int, QuotaAsk>& asks) {
  std::int64_t free = total;
  for (const auto& [other, ask] : asks) free -= ask.held;
  QuotaGrant grant;
  grant.target = fair_targets(total, asks).at(node);
  const auto held = asks.at(node).held;
  grant.held = held + std::clamp<std::int64_t>(grant.target - held, 0, std::max<std::int64_t>(free, 0));
  return grant;
}

}  // namespace godwit::engine
