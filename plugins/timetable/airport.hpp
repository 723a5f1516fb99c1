#pragma once
#include <string>

namespace timetable {

// An airport as the model sees it. `size` says how many airlines come to it: 3 a world hub, 2 a large airport, 1 a
// regional one.
struct Airport {
  std::string iata;
  std::string name;
  std::string city;
  std::string country;   // ISO 3166 code in the built-in table, the country's name in OpenFlights files
  double latitude = 0;   // degrees, north positive
  double longitude = 0;  // degrees, east positive
  std::string zone;      // IANA time zone
  int size = 1;
};

// Great-circle distance on a sphere of 6,371 km, rounded to whole kilometres so that everything computed from it is
// exact.
int distance_km(const Airport& from, const Airport& to);

// How far to the east a great circle from `from` to `to` leads, in per mille of its length: 1000 is due east, -1000 due
// west.
int eastward_permille(const Airport& from, const Airport& to);

}  // namespace timetable
