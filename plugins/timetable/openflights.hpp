#pragma once
#include <istream>
#include <map>
#include <string>
#include <vector>

#include "timetable/catalog.hpp"

namespace timetable {

// What came of reading one file.
struct LoadReport {
  std::string file;
  int rows = 0;  // records seen, the header not counted
  int used = 0;
  std::map<std::string, int> skipped;    // reason to number of records
  std::vector<std::string> first_skips;  // "airports.csv:17: the latitude is no number", a few of them

  std::string text() const;
};

// Readers of the tables airports.dat, airlines.dat and routes.dat of OpenFlights, with or without a header line.
// Records that cannot be used are counted and passed over. `file` is for messages.
LoadReport load_airports(std::istream& input, const std::string& file, Catalog& catalog);
LoadReport load_airlines(std::istream& input, const std::string& file, Catalog& catalog);
// Airports and airlines must be known before.
LoadReport load_routes(std::istream& input, const std::string& file, Catalog& catalog);

}  // namespace timetable
