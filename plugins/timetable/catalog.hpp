#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "timetable/airline.hpp"
#include "timetable/airport.hpp"

namespace timetable {

// A route read from a file: this airline flies non-stop from one airport to another.
struct FileRoute {
  int airline = 0;
  int from = 0;
  int to = 0;
};

// The airports and airlines the model works on, found by their IATA codes; the index of an entry never changes.
class Catalog {
 public:
  static constexpr int kNone = -1;

  // What is written in facts.hpp.
  static Catalog built_in();

  // An airport that is there already gets the new facts, but keeps its size and country code, which files do not know.
  void put(Airport airport);
  // The first airline of a code stays.
  void put(Airline airline);
  void put(FileRoute route) { routes_.push_back(route); }

  int find_airport(std::string_view iata) const;
  int find_airline(std::string_view iata) const;
  const std::vector<Airport>& airports() const { return airports_; }
  const std::vector<Airline>& airlines() const { return airlines_; }
  // Empty when no route file was read; then the network is modelled.
  const std::vector<FileRoute>& routes() const { return routes_; }

 private:
  std::vector<Airport> airports_;
  std::vector<Airline> airlines_;
  std::vector<FileRoute> routes_;
  std::unordered_map<std::string, int> airport_index_;
  std::unordered_map<std::string, int> airline_index_;
};

}  // namespace timetable
