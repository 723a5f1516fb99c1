#include "timetable/model.hpp"

#include <algorithm>

#include "timetable/fares.hpp"
#include "timetable/offers.hpp"

namespace timetable {
namespace {

// A way over a hub may be this much longer than the straight one: nobody flies from Vienna to Prague over New York.
bool sensible_detour(int direct_km, int flown_km) {
  return flown_km <= direct_km * 9 / 5 + 400;
}

// Only airports whose zone is known can have local times.
Catalog with_known_zones(Catalog catalog, Zones& zones, std::vector<const Zone*>& of_airport,
                         std::vector<std::string>& problems) {
  const bool complete = std::all_of(catalog.airports().begin(), catalog.airports().end(),
                                    [&zones](const Airport& airport) { return zones.find(airport.zone) != nullptr; });
  if (!complete) {
    Catalog kept;
    std::vector<int> moved;
    for (const Airport& airport : catalog.airports()) {
      const bool known = zones.find(airport.zone) != nullptr;
      if (known)
        kept.put(airport);
      else
        problems.push_back("airport " + airport.iata + ": the system knows no time zone '" + airport.zone +
                           "'; left out");
      moved.push_back(known ? static_cast<int>(kept.airports().size()) - 1 : Catalog::kNone);
    }
    for (const Airline& airline : catalog.airlines()) kept.put(airline);
    for (const FileRoute& route : catalog.routes()) {
      const FileRoute now{route.airline, moved[static_cast<std::size_t>(route.from)],
                          moved[static_cast<std::size_t>(route.to)]};
      if (now.from != Catalog::kNone && now.to != Catalog::kNone) kept.put(now);
    }
    catalog = std::move(kept);
  }
  for (const Airport& airport : catalog.airports()) of_airport.push_back(zones.find(airport.zone));
  return catalog;
}

}  // namespace

Model::Model(Catalog catalog, const ModelOptions& options, std::vector<std::string>& problems)
    : options_(options),
      currency_(find_currency(options.currency)),
      catalog_(with_known_zones(std::move(catalog), zone_table_, zones_, problems)),
      network_(catalog_, options.seed),
      schedule_(catalog_, zones_, options.seed) {
  if (currency_ == nullptr)
    godwit::fail("bad_config", "currency: '" + options.currency + "' is none of " + currency_codes());
}

std::int64_t Model::price(const Request& request, const Journey& journey, int from, int to) const {
  const Segment& first = journey.segments.front();
  const int days_ahead = request.as_of ? std::max(0, request.depart.number - request.as_of->number) : kUsualDaysAhead;
  return fare_cents({airline(first.airline), airport(from), airport(to), schedule_.local_day(first),
                     schedule_.local_hour(first), journey.stops(), first.number, days_ahead},
                    options_.seed);
}

void Model::add_direct(const Request& request, int from, int to, Day day, std::vector<Journey>& result) const {
  for (const Service& service : network_.direct(from, to)) {
    if (request.excluded_airlines.contains(service.airline)) continue;
    for (const Segment& flight : schedule_.flights(from, service, day)) {
      Journey journey{{flight}, 0};
      journey.euro_cents = price(request, journey, from, to);
      result.push_back(std::move(journey));
    }
  }
}

void Model::add_connections(const Request& request, int from, int to, Day day, std::vector<Journey>& result) const {
  const int direct_km = distance_km(airport(from), airport(to));
  for (const Connection& connection : network_.connections(from, to)) {
    if (request.excluded_airlines.contains(connection.first.airline)) continue;
    const Airport& hub = airport(connection.hub);
    if (!sensible_detour(direct_km, distance_km(airport(from), hub) + distance_km(hub, airport(to)))) continue;
    const bool domestic = airport(from).country == hub.country && hub.country == airport(to).country;
    for (const Segment& flight : schedule_.flights(from, connection.first, day)) {
      const auto next = schedule_.onward(flight, connection, domestic);
      if (!next) continue;
      Journey journey{{flight, *next}, 0};
      journey.euro_cents = price(request, journey, from, to);
      result.push_back(std::move(journey));
    }
  }
}

std::vector<Journey> Model::journeys(const Request& request, int from, int to, Day day) const {
  std::vector<Journey> result;
  add_direct(request, from, to, day, result);
  if (request.max_stops > 0) add_connections(request, from, to, day, result);
  return result;
}

json::object Model::search(const json::object& args) const {
  const Request request = Request::parse(args, catalog_, *currency_);
  const auto out = journeys(request, request.origin, request.destination, request.depart);
  const auto back =
      request.back ? journeys(request, request.destination, request.origin, *request.back) : std::vector<Journey>();
  const auto trips = make_trips(catalog_, out, back, request.back.has_value());
  const auto chosen = choose_trips(trips, static_cast<std::size_t>(std::min(request.max_offers, options_.offers)));

  const OfferWriter writer(catalog_, zones_, request);
  json::array offers;
  for (const Trip& trip : chosen) offers.push_back(writer.offer(trip));
  return {{"offers", std::move(offers)},
          {"found", trips.size()},
          {"provider", "timetable"},
          {"modelled", true},
          {"airports", writer.airports(chosen)},
          {"airlines", writer.airlines(chosen)}};
}

}  // namespace timetable
