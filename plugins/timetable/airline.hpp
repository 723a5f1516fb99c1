#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace timetable {

// What kind of flights an airline offers; range, connections and fares follow from it (README.md).
enum class AirlineKind { network, low_cost, regional };

// An airline with the airports it flies from, the main one first.
struct Airline {
  std::string iata;
  std::string name;
  std::string country;
  AirlineKind kind = AirlineKind::network;
  std::vector<std::string> hubs;
};

}  // namespace timetable
