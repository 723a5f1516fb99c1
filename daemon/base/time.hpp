#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace godwit::base {

using Duration = std::chrono::microseconds;
// A point of civil time, UTC. Stored, shown, compared between processes; never used to measure.
using Instant = std::chrono::sys_time<Duration>;
// A point of CLOCK_MONOTONIC: deadlines and measurements. Means nothing to another machine or after a reboot.
using Tick = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

Instant now();
inline Tick tick() {
  return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now());
}
// The processor time that this thread has used. What a computation may cost is measured in it: a machine may stop a
// thread for as long as it likes.
std::chrono::nanoseconds thread_cpu_time();

// "250ms", "2s", "1m30s", "3d", "0"; units us ms s m h d w. Empty for anything else, negative values and overflow.
std::optional<Duration> parse_duration(std::string_view text);
// The shortest text that parse_duration() reads back exactly: "1m30s".
std::string format_duration(Duration duration);

// RFC 3339 in UTC with milliseconds: "2026-11-22T16:45:41.250Z".
std::string format_instant(Instant instant);
std::optional<Instant> parse_instant(std::string_view text);

inline std::int64_t to_microseconds(Instant instant) {
  return instant.time_since_epoch().count();
}
inline Instant from_microseconds(std::int64_t value) {
  return Instant(Duration(value));
}

}  // namespace godwit::base
