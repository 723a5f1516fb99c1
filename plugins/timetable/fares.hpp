#pragma once
#include <cstdint>

#include "timetable/airline.hpp"
#include "timetable/airport.hpp"
#include "timetable/day.hpp"

namespace timetable {

// What a fare depends on.
struct FareCase {
  const Airline& airline;
  const Airport& from;
  const Airport& to;
  Day day;             // local day of departure
  int departure_hour;  // local, 0 to 23
  int stops;
  int flight_number;
  int days_ahead;  // from booking to departure
};

// When nobody says on which day the ticket is bought, it is bought this many days before the departure.
inline constexpr int kUsualDaysAhead = 45;

// Euro cents for one adult, one way. Whole numbers only, so that every machine computes the same.
std::int64_t fare_cents(const FareCase& fare, std::uint64_t seed);
// Per mille of the two single fares that a return ticket of such an airline costs.
int return_ticket_permille(AirlineKind kind);

}  // namespace timetable
