#pragma once
#include <memory>
#include <string>

#include "base/time.hpp"
#include "cron/pattern.hpp"

namespace godwit::cron {

// The rules of one IANA time zone as the system's tzdata gives them, in force for all years to come. Cheap to copy,
// safe to use from several threads.
class Zone {
 public:
  using Seconds = std::chrono::sys_seconds;

  // "Europe/Dublin", "UTC". Throws Error(refused) when the system knows no such zone.
  static Zone find(const std::string& name);

  // A time in which the offset from UTC does not change.
  struct Span {
    Seconds begin = Seconds::min();
    Seconds end = Seconds::max();
    std::chrono::seconds offset{};
    std::chrono::seconds before{};  // the offset until `begin`; the same as `offset` when there was no other
  };
  Span span(Seconds at) const;
  std::chrono::seconds offset(Seconds at) const;
  const std::string& name() const { return name_; }

 private:
  struct Rules;
  Zone(std::string name, std::shared_ptr<const Rules> rules) : name_(std::move(name)), rules_(std::move(rules)) {}

  std::string name_;
  std::shared_ptr<const Rules> rules_;
};

inline WallTime wall(Zone::Seconds at, std::chrono::seconds offset) {
  return WallTime((at + offset).time_since_epoch());
}
inline Zone::Seconds instant(WallTime wall, std::chrono::seconds offset) {
  return Zone::Seconds(wall.time_since_epoch()) - offset;
}

// "2026-03-29T02:30:00+01:00": RFC 3339 with the zone's offset, fractions only where there are some. In UTC it ends in
// Z.
std::string format_in_zone(base::Instant at, const Zone& zone);

}  // namespace godwit::cron
