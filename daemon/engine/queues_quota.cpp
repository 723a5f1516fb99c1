// The part of Queues that is about several nodes: of a queue that is bounded over all of them each lets in what its quota
// allows.
#include <algorithm>

#include "engine/queues.hpp"

namespace godwit::engine {

void Queues::share_out() {
  if (std::exchange(shared_, true)) return;
  for (auto& [name, queue] : queues_) {
    if (queue.spec.concurrency_total == 0) continue;
    const auto total = std::max<std::int64_t>(queue.spec.concurrency_total, static_cast<std::int64_t>(queue.runs.size()));
    queue.quota = QuotaGrant{total, total};
  }
}

void Queues::share_none() {
  shared_ = true;
  for (auto& [name, queue] : queues_)
    if (queue.spec.concurrency_total > 0) set_quota(name, {});
}

void Queues::take_whole() {
  shared_ = false;
  for (auto& [name, queue] : queues_) {
    if (!std::exchange(queue.quota, std::nullopt)) continue;
    refresh_lanes_of(name);
  }
}

void Queues::set_quota(const std::string& name, const QuotaGrant& grant) {
  const auto found = queues_.find(name);
  if (!shared_ || found == queues_.end()) return;
  found->second.quota = grant;
  refresh_lanes_of(name);
}

int Queues::total_of(const std::string& name) const {
  const auto found = queues_.find(name);
  return found == queues_.end() ? total_of_new(name) : found->second.spec.concurrency_total;
}

bool Queues::divided(const Rank& rank) const {
  return std::any_of(rank.queues.begin(), rank.queues.end(), [this](const auto& name) { return total_of(name) > 0; });
}

bool Queues::lacks_place(model::RunId run, const Rank& rank) const {
  return std::any_of(rank.queues.begin(), rank.queues.end(), [this, run](const auto& name) {
    const auto found = queues_.find(name);
    return total_of(name) > 0 && (found == queues_.end() || !found->second.runs.contains(run));
  });
}

std::vector<QuotaAsk> Queues::quota_asks(std::size_t room) {
  std::vector<QuotaAsk> asks;
  for (auto& [name, queue] : queues_) {
    if (queue.spec.concurrency_total == 0) continue;
    if (queue.quota)
      queue.quota->held = std::max<std::int64_t>(queue.quota->usable(), static_cast<std::int64_t>(queue.runs.size()));
    asks.push_back(quota_ask(name, queue, room));
  }
  return asks;
}

// Wanted are places for runs that could begin if they had them.
QuotaAsk Queues::quota_ask(const std::string& name, const Queue& queue, std::size_t room) const {
  QuotaAsk ask{.name = name, .total = queue.spec.concurrency_total};
  if (queue.quota) ask.held = queue.quota->held;
  const auto used = queue.runs.size();
  std::size_t could = 0;
  std::optional<base::Instant> first;
  for (const Rank* rank : queue.lanes) {
    if (!has_places(*rank, name)) continue;
    const auto& waiting = lanes_.at(*rank).waiting;
    could += waiting.size();
    const auto turn = turn_of(waiting.front().since, rank->priority);
    first = std::min(first.value_or(turn), turn);
  }
  const auto here = queue.most_here() - std::min(queue.most_here(), used);
  could = queue.paused ? 0 : std::min({could, here, room});
  const auto wish = [&](std::size_t more) { return std::min(ask.total, static_cast<std::int64_t>(used + more)); };
  ask.wanted = wish(could);
  if (could == 0) return ask;
  ask.need = wish(1);
  ask.since = first;
  return ask;
}

void Queues::note_shortage(const Rank& rank) const {
  if (!shared_ || !short_of) return;
  for (const auto& name : rank.queues) {
    const auto found = queues_.find(name);
    if (found != queues_.end() && found->second.runs.size() >= found->second.most_of_total()) return short_of();
  }
}

}  // namespace godwit::engine
