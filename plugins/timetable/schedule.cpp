#include "timetable/schedule.hpp"

#include <algorithm>

#include "timetable/chance.hpp"

namespace timetable {
namespace {

constexpr int kMinutesOfDay = 24 * 60;
constexpr int kFirstDeparture = 6 * 60;
constexpr int kLastDeparture = 22 * 60 + 30;
constexpr int kConnectDomestic = 45;
constexpr int kConnectInternational = 75;
constexpr int kLongestWait = 10 * 60;

int round_to_five(int minutes) {
  return (minutes + 2) / 5 * 5;
}

// Departures of one direction on a day it is flown.
int departures(int km, int smaller_size, const Chance& chance) {
  if (km > 6000) return smaller_size == 3 ? chance.between(1, 2) : 1;
  if (km > 2500) return chance.between(1, smaller_size);
  return chance.between(1, smaller_size + 1);
}

// Thin routes are not flown every day: from four to six days of the week.
bool operates(int km, int smaller_size, const Day& day, const Chance& chance) {
  const bool thin = smaller_size == 1 ? km > 800 : smaller_size == 2 && km > 7000;
  if (!thin) return true;
  const int days = chance.between(4, 6);
  // Steps of three through the week spread the days; 3 and 7 have no common divisor.
  const int turn = (day.weekday() * 3 + static_cast<int>(chance.value() % 7)) % 7;
  return turn < days;
}

}  // namespace

int block_minutes(const Airport& from, const Airport& to) {
  const int km = distance_km(from, to);
  const int cruise_kmh = km < 800 ? 640 : km < 2000 ? 780 : 860;
  const int ground_kmh = cruise_kmh + 50 * eastward_permille(from, to) / 1000;
  return round_to_five(32 + km * 60 / ground_kmh);
}

std::vector<Segment> Schedule::flights(int from, const Service& service, Day day) const {
  const Airport& origin = airport(from);
  const Airport& target = airport(service.to);
  const int km = distance_km(origin, target);
  const int smaller_size = std::min(origin.size, target.size);
  const std::string& code = catalog_.airlines()[static_cast<std::size_t>(service.airline)].iata;
  const Chance route = Chance(seed_).mix("times").mix(code).mix(origin.iata).mix(target.iata);
  std::vector<Segment> result;
  if (!operates(km, smaller_size, day, route)) return result;

  const int count = departures(km, smaller_size, route);
  const int slot = (kLastDeparture - kFirstDeparture) / count / 5 * 5;
  const int block = block_minutes(origin, target);
  for (int i = 0; i < count; ++i) {
    const int in_slot = Chance(route).mix(static_cast<std::uint64_t>(i)).between(0, slot / 5 - 1) * 5;
    const LocalMinutes local =
        static_cast<LocalMinutes>(day.number) * kMinutesOfDay + kFirstDeparture + slot * i + in_slot;
    const UtcMinutes departure = zone(from).to_utc(local);
    result.push_back({service.airline, service.number + 2 * i, from, service.to, departure, departure + block});
  }
  return result;
}

std::optional<Segment> Schedule::onward(const Segment& first, const Connection& connection, bool domestic) const {
  const UtcMinutes earliest = first.arrival + (domestic ? kConnectDomestic : kConnectInternational);
  const LocalMinutes local = zone(connection.hub).to_local(earliest);
  for (int later = 0; later <= 1; ++later) {
    const Day day{static_cast<int>(local / kMinutesOfDay) + later};
    for (const Segment& flight : flights(connection.hub, connection.second, day)) {
      if (flight.departure < earliest) continue;
      if (flight.departure > first.arrival + kLongestWait) return std::nullopt;
      return flight;
    }
  }
  return std::nullopt;
}

Day Schedule::local_day(const Segment& segment) const {
  return Day{static_cast<int>(zone(segment.from).to_local(segment.departure) / kMinutesOfDay)};
}

int Schedule::local_hour(const Segment& segment) const {
  return static_cast<int>(zone(segment.from).to_local(segment.departure) % kMinutesOfDay) / 60;
}

}  // namespace timetable
