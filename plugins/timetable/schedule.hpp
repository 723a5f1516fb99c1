#pragma once
#include <vector>

#include "timetable/catalog.hpp"
#include "timetable/day.hpp"
#include "timetable/journey.hpp"
#include "timetable/network.hpp"
#include "timetable/zone.hpp"

namespace timetable {

// When the services of the network fly. Safe to use from several threads once it is made.
class Schedule {
 public:
  // `zones` gives for each airport of the catalog its zone; both must outlive the schedule.
  Schedule(const Catalog& catalog, const std::vector<const Zone*>& zones, std::uint64_t seed)
      : catalog_(catalog), zones_(zones), seed_(seed) {}

  // The flights of a service whose departure falls on that local day, in order of departure.
  std::vector<Segment> flights(int from, const Service& service, Day day) const;
  // The first flight of the second service that can be reached from `first`, if it does not mean to wait too long.
  std::optional<Segment> onward(const Segment& first, const Connection& connection, bool domestic) const;

  Day local_day(const Segment& segment) const;
  int local_hour(const Segment& segment) const;

 private:
  const Airport& airport(int index) const { return catalog_.airports()[static_cast<std::size_t>(index)]; }
  const Zone& zone(int index) const { return *zones_[static_cast<std::size_t>(index)]; }

  const Catalog& catalog_;
  const std::vector<const Zone*>& zones_;
  std::uint64_t seed_;
};

// Block time, from leaving the gate to reaching the next: half an hour on the ground and the way at cruising speed,
// faster with the west winds than against them. Whole five minutes.
int block_minutes(const Airport& from, const Airport& to);

}  // namespace timetable
