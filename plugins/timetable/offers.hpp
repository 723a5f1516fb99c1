#pragma once
#include <godwit/sdk.hpp>

#include <optional>
#include <vector>

#include "timetable/catalog.hpp"
#include "timetable/journey.hpp"
#include "timetable/request.hpp"
#include "timetable/zone.hpp"

namespace timetable {

// A way out, with a way back when one was asked for, and what one adult pays for both.
struct Trip {
  const Journey* out = nullptr;
  const Journey* back = nullptr;
  std::int64_t euro_cents = 0;

  int stops() const { return std::max(out->stops(), back == nullptr ? 0 : back->stops()); }
};

// Joins ways out and back of the same airline to trips, cheapest first.
std::vector<Trip> make_trips(const Catalog& catalog, const std::vector<Journey>& out, const std::vector<Journey>& back,
                             bool round_trip);
// The cheapest `count`, a quarter of them kept for the cheapest without a stop, so that a later filter for those finds
// some.
std::vector<Trip> choose_trips(const std::vector<Trip>& trips, std::size_t count);

// Writes trips as the contract flight-search/1 wants offers.
class OfferWriter {
 public:
  OfferWriter(const Catalog& catalog, const std::vector<const Zone*>& zones, const Request& request)
      : catalog_(catalog), zones_(zones), request_(request) {}

  json::object offer(const Trip& trip) const;
  // Names for the codes that occur in the offers and in the request.
  json::object airports(const std::vector<Trip>& trips) const;
  json::object airlines(const std::vector<Trip>& trips) const;

 private:
  json::object leg(const Journey& journey) const;
  json::object segment(const Segment& segment) const;
  json::object moment(int airport, UtcMinutes utc) const;
  std::string flight_number(const Segment& segment) const;
  std::string id(const Trip& trip) const;
  json::object money(std::int64_t amount) const;
  const Airport& airport(int index) const { return catalog_.airports()[static_cast<std::size_t>(index)]; }
  const Airline& airline(int index) const { return catalog_.airlines()[static_cast<std::size_t>(index)]; }

  const Catalog& catalog_;
  const std::vector<const Zone*>& zones_;
  const Request& request_;
};

}  // namespace timetable
