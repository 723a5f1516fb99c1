#pragma once
#include <vector>

#include "timetable/zone.hpp"

namespace timetable {

// One flight of one day.
struct Segment {
  int airline = 0;  // index into the catalog, as `from` and `to`
  int number = 0;
  int from = 0;
  int to = 0;
  UtcMinutes departure = 0;
  UtcMinutes arrival = 0;
};

// The way from one airport to another on one airline, with what one adult pays for it.
struct Journey {
  std::vector<Segment> segments;  // one, or two with a stop at a hub
  std::int64_t euro_cents = 0;

  int stops() const { return static_cast<int>(segments.size()) - 1; }
  int airline() const { return segments.front().airline; }
  UtcMinutes departure() const { return segments.front().departure; }
  UtcMinutes arrival() const { return segments.back().arrival; }
  int minutes() const { return static_cast<int>(arrival() - departure()); }
};

}  // namespace timetable
