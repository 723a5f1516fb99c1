#pragma once
#include <vector>

#include "timetable/airline.hpp"
#include "timetable/airport.hpp"

namespace timetable {

// The built-in tables, written for this plugin from general knowledge. Positions are rounded to a hundredth of a degree
// (about 1 km).
std::vector<Airport> built_in_airports();
std::vector<Airline> built_in_airlines();

}  // namespace timetable
