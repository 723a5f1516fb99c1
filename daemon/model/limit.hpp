#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace godwit::model {

// How much of something may be had: so many permits at once, or so many tokens per time.
struct LimitSpec {
  int permits = 0;  // at once; of a rate: how many tokens gather while nobody takes any (the burst)
  double rate = 0;  // tokens per second; 0 for a semaphore

  bool is_rate() const { return rate > 0; }
  bool operator==(const LimitSpec&) const = default;
};

// What a limit may be called: up to 200 bytes that a person can see and type, "tenant:acme" and "tenant:*" among them.
bool is_limit_name(std::string_view name);

// "10/s", "600/m", "5/10s": tokens per time; the burst is a second's worth, at least 1, unless "10/s burst 20" says it.
// "4": permits at once. Empty for anything else.
std::optional<LimitSpec> parse_limit(std::string_view text);
// The text that parse_limit() reads back: "4", "10/s burst 20".
std::string format_limit(const LimitSpec& spec);

}  // namespace godwit::model
