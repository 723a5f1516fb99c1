#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

namespace date {
class time_zone;
}

namespace timetable {

// Minutes since 1970-01-01T00:00: of a clock on a wall, and of UTC. The model counts in whole minutes, as timetables
// do.
using LocalMinutes = std::int64_t;
using UtcMinutes = std::int64_t;

// The rules of one IANA time zone, as the system's zone files give them. Safe to use from several threads.
class Zone {
 public:
  explicit Zone(const date::time_zone* rules) : rules_(rules) {}
  // A wall time that the clock skips in spring is read with the offset before the change (02:30 becomes 03:30); of one
  // that comes twice in autumn the first is meant.
  UtcMinutes to_utc(LocalMinutes local) const;
  int offset_minutes(UtcMinutes utc) const;
  LocalMinutes to_local(UtcMinutes utc) const { return utc + offset_minutes(utc); }

 private:
  const date::time_zone* rules_;
};

// Finds zones by name, each read from disk once.
class Zones {
 public:
  // Null when the system knows no such zone.
  const Zone* find(const std::string& name);

 private:
  std::unordered_map<std::string, std::unique_ptr<Zone>> zones_;
};

}  // namespace timetable
