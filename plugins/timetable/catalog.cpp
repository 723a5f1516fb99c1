#include "timetable/catalog.hpp"

#include "timetable/facts.hpp"

namespace timetable {
namespace {

int find(const std::unordered_map<std::string, int>& index, std::string_view code) {
  const auto found = index.find(std::string(code));
  return found == index.end() ? Catalog::kNone : found->second;
}

}  // namespace

Catalog Catalog::built_in() {
  Catalog catalog;
  for (Airport& airport : built_in_airports()) catalog.put(std::move(airport));
  for (Airline& airline : built_in_airlines()) catalog.put(std::move(airline));
  return catalog;
}

void Catalog::put(Airport airport) {
  const auto [place, added] = airport_index_.emplace(airport.iata, static_cast<int>(airports_.size()));
  if (added) {
    airports_.push_back(std::move(airport));
    return;
  }
  Airport& known = airports_[static_cast<std::size_t>(place->second)];
  airport.size = known.size;
  airport.country = known.country;
  known = std::move(airport);
}

void Catalog::put(Airline airline) {
  if (airline_index_.emplace(airline.iata, static_cast<int>(airlines_.size())).second)
    airlines_.push_back(std::move(airline));
}

int Catalog::find_airport(std::string_view iata) const {
  return find(airport_index_, iata);
}
int Catalog::find_airline(std::string_view iata) const {
  return find(airline_index_, iata);
}

}  // namespace timetable
