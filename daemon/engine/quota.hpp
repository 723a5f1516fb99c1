#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace godwit::engine {

// How limits are divided among the nodes of one store: each may let through what it holds by itself, and what all hold
// is never more than the limit. A node grows only by what nobody holds, and gives back only what it has ceased to use.

// Of a rate everything is counted in millionths of it.
inline constexpr std::int64_t kWholeRate = 1'000'000;

// What one node says of one limit.
struct QuotaAsk {
  std::string name;
  std::int64_t total = 0;
  std::int64_t held = 0;               // it lets through no more than this until it is told otherwise
  std::int64_t wanted = 0;             // in use and waited for
  std::int64_t need = 0;               // the least with which its first waiting request could start; 0 for none
  std::optional<base::Instant> since;  // that this request waits
};
// What it gets: `held` from now on, and `target`, to which it gives back as things end.
struct QuotaGrant {
  std::int64_t held = 0;
  std::int64_t target = 0;
  std::int64_t usable() const { return std::min(held, target); }
};

// How much of a limit each node should have, by node; the sum is the limit. Who has waited longest gets what he needs,
// the rest goes in even parts to those who want more, and what nobody wants in even parts to all.
std::map<int, std::int64_t> fair_targets(std::int64_t total, const std::map<int, QuotaAsk>& asks);
// What a node gets that asks, when this is what all (itself included) hold and want.
QuotaGrant grant_quota(std::int64_t total, int node, const std::map<int, QuotaAsk>& asks);

}  // namespace godwit::engine
