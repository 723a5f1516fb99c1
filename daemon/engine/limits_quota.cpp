// The part of Limits that is about several nodes: each lets through what its quota allows.
#include "engine/limits.hpp"

namespace godwit::engine {
namespace {

std::int64_t total_of(const model::LimitSpec& spec) {
  return spec.is_rate() ? kWholeRate : spec.permits;
}

// A rate as far as the quota lets it flow.
model::LimitSpec part_of(const model::LimitSpec& spec, std::int64_t quota) {
  const double part = static_cast<double>(quota) / static_cast<double>(kWholeRate);
  return {.permits = static_cast<int>(spec.permits * part), .rate = spec.rate * part};
}

}  // namespace

void Limits::apply_quota(Limit& limit, std::optional<QuotaGrant> quota) {
  limit.quota = quota;
  if (limit.spec.is_rate()) {
    const auto spec = quota ? part_of(limit.spec, quota->usable()) : limit.spec;
    // What has not been had before does not come with a bucket full of tokens: somebody may just have emptied it.
    if (limit.rate)
      limit.rate->set(spec, clock_.tick());
    else
      limit.rate.emplace(spec, clock_.tick());
  }
  serve(limit);
}

void Limits::share_out() {
  if (std::exchange(shared_, true)) return;
  for (auto& [name, limit] : limits_) {
    const auto total = std::max<std::int64_t>(total_of(limit.spec), limit.used);
    limit.quota = QuotaGrant{total, total};
  }
}

void Limits::share_none() {
  shared_ = true;
  for (auto& [name, limit] : limits_) apply_quota(limit, QuotaGrant{});
}

void Limits::take_whole() {
  shared_ = false;
  for (auto& [name, limit] : limits_)
    if (limit.quota) apply_quota(limit, std::nullopt);
}

void Limits::set_quota(const std::string& name, const QuotaGrant& grant) {
  const auto found = limits_.find(name);
  if (shared_ && found != limits_.end()) apply_quota(found->second, grant);
}

std::vector<QuotaAsk> Limits::quota_asks() {
  std::vector<QuotaAsk> asks;
  for (auto& [name, limit] : limits_) {
    QuotaAsk ask{.name = name, .total = total_of(limit.spec)};
    if (limit.quota) ask.held = limit.quota->held = std::max<std::int64_t>(limit.quota->usable(), limit.used);
    std::int64_t waiting = 0;
    for (const auto& [turn, request] : limit.queue)
      waiting += count_of(*request, limit);
    const auto* first = front(limit);
    if (limit.spec.is_rate()) {
      ask.wanted = waiting > 0 || !limit.rate->idle(clock_.tick()) ? ask.total : 0;
      if (first) ask.need = 1;
    } else {
      ask.wanted = std::min(ask.total, limit.used + waiting);
      if (first) ask.need = limit.used + count_of(*first, limit);
    }
    ask.need = std::min(ask.need, ask.total);
    if (first) ask.since = clock_.now() - std::chrono::duration_cast<base::Duration>(clock_.tick() - first->asked_at);
    asks.push_back(std::move(ask));
  }
  return asks;
}

int Limits::count_of(const Request& request, const Limit& limit) {
  for (const auto& part : request.demand)
    if (part.limit == &limit) return part.count;
  return 0;
}

void Limits::note_shortage(const Request& request) const {
  if (!shared_ || !short_of) return;
  for (const auto& part : request.demand)
    if (!part.limit->quota || part.limit->quota->usable() < total_of(part.limit->spec)) return short_of();
}

}  // namespace godwit::engine
