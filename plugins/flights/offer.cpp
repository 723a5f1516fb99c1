#include "flights/offer.hpp"

#include <tuple>

namespace flights {
namespace {

constexpr std::size_t kClockAt = 11;  // in YYYY-MM-DDTHH:MM
constexpr std::int64_t kMinutesMax = 14 * 24 * 60;

// The clock part of a local time; seconds after it do no harm.
ClockMinutes clock_of(const Field& local) {
  const std::string text = local.text();
  const auto clock = text.size() >= kClockAt + 5 && text[kClockAt - 1] == 'T'
                         ? parse_clock(std::string_view(text).substr(kClockAt, 5))
                         : std::nullopt;
  if (!clock) local.refuse("'" + text + "' is no local time written as YYYY-MM-DDTHH:MM");
  return *clock;
}

json::array to_list(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

}  // namespace

std::optional<ClockMinutes> parse_clock(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  for (const std::size_t i : {0, 1, 3, 4}) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
  }
  const int hours = (text[0] - '0') * 10 + (text[1] - '0');
  const int minutes = (text[3] - '0') * 10 + (text[4] - '0');
  if (hours > 23 || minutes > 59) return std::nullopt;
  return hours * 60 + minutes;
}

Leg Leg::parse(const Field& field) {
  Leg leg;
  leg.from = field["from"].text();
  leg.to = field["to"].text();
  leg.departure = field["departure"]["local"].text();
  leg.arrival = field["arrival"]["local"].text();
  leg.departure_clock = clock_of(field["departure"]["local"]);
  leg.arrival_clock = clock_of(field["arrival"]["local"]);
  leg.minutes = field["minutes"].whole(0, kMinutesMax);
  leg.stops = field["stops"].whole(0, 20);
  const Field segments = field["segments"];
  for (std::size_t i = 0; i < segments.size(); ++i) {
    leg.airlines.push_back(segments[i]["airline"].text());
    leg.flight_numbers.push_back(segments[i]["flight_number"].text());
  }
  return leg;
}

json::object Leg::to_json() const {
  return {{"from", from},
          {"to", to},
          {"departure", departure},
          {"arrival", arrival},
          {"minutes", minutes},
          {"stops", stops},
          {"airlines", to_list(airlines)},
          {"flight_numbers", to_list(flight_numbers)}};
}

Offer Offer::parse(const Field& field) {
  Offer offer;
  offer.source = &field.value();
  offer.id = field["id"].text();
  offer.price = Money::parse(field["price"]);
  offer.airline = field["airline"].text();
  offer.outbound = Leg::parse(field["outbound"]);
  if (field["return"].given()) offer.back = Leg::parse(field["return"]);
  offer.modelled = field["modelled"].given() && field["modelled"].flag();
  return offer;
}

std::vector<Offer> Offer::parse_list(const Field& field) {
  std::vector<Offer> offers;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i].given()) offers.push_back(parse(field[i]));
  }
  return offers;
}

json::object Offer::summary() const {
  json::object result{{"id", id}, {"price", price.to_json()}, {"airline", airline}, {"outbound", outbound.to_json()}};
  if (back) result.emplace("return", back->to_json());
  result.emplace("modelled", modelled);
  return result;
}

bool Offer::better_than(const Offer& other) const {
  const auto key = [](const Offer& offer) {
    return std::tuple(offer.price.amount, offer.outbound.minutes + (offer.back ? offer.back->minutes : 0),
                      std::string_view(offer.outbound.departure), std::string_view(offer.id));
  };
  return key(*this) < key(other);
}

}  // namespace flights
