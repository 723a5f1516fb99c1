#include "engine/rank.hpp"

#include <algorithm>

#include "engine/store.hpp"

namespace godwit::engine {

Rank rank_of(const Submitted& run) {
  Rank rank;
  if (run.options.empty()) return rank;
  const auto options = base::parse_json(run.options);
  const auto& given = options.as_object();
  for (const char* key : {"queue", "turn"})
    if (const auto* queue = given.if_contains(key)) rank.queues.emplace_back(queue->as_string());
  std::sort(rank.queues.begin(), rank.queues.end());
  rank.queues.erase(std::unique(rank.queues.begin(), rank.queues.end()), rank.queues.end());
  if (const auto* priority = given.if_contains("priority")) rank.priority = priority->to_number<int>();
  return rank;
}

}  // namespace godwit::engine
