#pragma once
#include <string>
#include <vector>

#include "cron/fire_times.hpp"

namespace godwit::cron {

inline base::Instant at(std::string_view text) {
  return base::parse_instant(text).value();
}

// The first `count` fires after `from`, in the zone's own time.
inline std::vector<std::string> fires(const model::Timing& timing, std::string_view from, std::size_t count) {
  const FireTimes times(timing);
  std::vector<std::string> out;
  auto after = at(from);
  while (out.size() < count) {
    const auto next = times.next(after);
    if (!next) break;
    out.push_back(format_in_zone(*next, times.zone()));
    after = *next;
  }
  return out;
}

inline model::Timing cron(std::string text, std::string zone = "UTC",
                          model::ClockChange rule = model::ClockChange::run_once) {
  return {model::Timing::Kind::cron, std::move(text), std::move(zone), rule};
}

}  // namespace godwit::cron
