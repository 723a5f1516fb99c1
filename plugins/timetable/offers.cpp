#include "timetable/offers.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <tuple>

#include "timetable/chance.hpp"
#include "timetable/fares.hpp"

namespace timetable {
namespace {

constexpr int kMinutesOfDay = 24 * 60;
constexpr std::size_t kReturnsOfEach = 3;
// A trip must leave somebody the time to turn round.
constexpr int kShortestStay = 60;

std::string date_time(std::int64_t minutes) {
  const Day day{static_cast<int>(minutes / kMinutesOfDay)};
  const int rest = static_cast<int>(minutes % kMinutesOfDay);
  char clock[16];
  std::snprintf(clock, sizeof clock, "T%02d:%02d", rest / 60 % 24, rest % 60);
  return day.text() + clock;
}

std::string offset_text(int minutes) {
  char text[16];
  const int size = std::abs(minutes);
  std::snprintf(text, sizeof text, "%c%02d:%02d", minutes < 0 ? '-' : '+', size / 60 % 24, size % 60);
  return text;
}

bool cheaper(const Trip& a, const Trip& b) {
  const auto key = [](const Trip& trip) {
    const Segment& first = trip.out->segments.front();
    return std::tuple(trip.euro_cents, trip.out->minutes(), first.departure, first.airline, first.number,
                      trip.back == nullptr ? UtcMinutes{0} : trip.back->departure());
  };
  return key(a) < key(b);
}

}  // namespace

std::vector<Trip> make_trips(const Catalog& catalog, const std::vector<Journey>& out, const std::vector<Journey>& back,
                             bool round_trip) {
  std::vector<Trip> trips;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!round_trip) {
      trips.push_back({&out[i], nullptr, out[i].euro_cents});
      continue;
    }
    const int permille = return_ticket_permille(catalog.airlines()[static_cast<std::size_t>(out[i].airline())].kind);
    std::vector<const Journey*> fitting;
    for (const Journey& journey : back) {
      if (journey.airline() == out[i].airline() && journey.departure() >= out[i].arrival() + kShortestStay)
        fitting.push_back(&journey);
    }
    // Beginning at another one each time brings all ways back in without joining each with each.
    for (std::size_t k = 0; k < std::min(kReturnsOfEach, fitting.size()); ++k) {
      const Journey* chosen = fitting[(i + k) % fitting.size()];
      trips.push_back({&out[i], chosen, (out[i].euro_cents + chosen->euro_cents) * permille / 1000});
    }
  }
  std::sort(trips.begin(), trips.end(), cheaper);
  return trips;
}

std::vector<Trip> choose_trips(const std::vector<Trip>& trips, std::size_t count) {
  if (trips.size() <= count) return trips;
  std::size_t reserved = count / 4;
  std::vector<Trip> chosen;
  std::set<std::size_t> taken;
  for (std::size_t i = 0; i < trips.size() && reserved > 0; ++i) {
    if (trips[i].stops() > 0) continue;
    taken.insert(i);
    --reserved;
  }
  for (std::size_t i = 0; i < trips.size() && taken.size() < count; ++i) taken.insert(i);
  for (const std::size_t i : taken) chosen.push_back(trips[i]);
  return chosen;
}

json::object OfferWriter::moment(int index, UtcMinutes utc) const {
  const int offset = zones_[static_cast<std::size_t>(index)]->offset_minutes(utc);
  return {{"local", date_time(utc + offset)},
          {"zone", airport(index).zone},
          {"utc_offset", offset_text(offset)},
          {"utc", date_time(utc) + ":00Z"}};
}

std::string OfferWriter::flight_number(const Segment& segment) const {
  return airline(segment.airline).iata + std::to_string(segment.number);
}

json::object OfferWriter::segment(const Segment& part) const {
  return {{"airline", airline(part.airline).iata},
          {"flight_number", flight_number(part)},
          {"from", airport(part.from).iata},
          {"to", airport(part.to).iata},
          {"departure", moment(part.from, part.departure)},
          {"arrival", moment(part.to, part.arrival)},
          {"minutes", part.arrival - part.departure}};
}

json::object OfferWriter::leg(const Journey& journey) const {
  json::array segments;
  for (const Segment& part : journey.segments) segments.push_back(segment(part));
  const int from = journey.segments.front().from;
  const int to = journey.segments.back().to;
  return {{"from", airport(from).iata},
          {"to", airport(to).iata},
          {"departure", moment(from, journey.departure())},
          {"arrival", moment(to, journey.arrival())},
          {"minutes", journey.minutes()},
          {"stops", journey.stops()},
          {"segments", std::move(segments)}};
}

std::string OfferWriter::id(const Trip& trip) const {
  Chance mixed(0);
  for (const Journey* journey : {trip.out, trip.back}) {
    if (journey == nullptr) continue;
    for (const Segment& part : journey->segments)
      mixed.mix(flight_number(part)).mix(static_cast<std::uint64_t>(part.departure));
  }
  char text[24];
  std::snprintf(text, sizeof text, "tt-%016llx", static_cast<unsigned long long>(mixed.value()));
  return text;
}

json::object OfferWriter::money(std::int64_t amount) const {
  return {{"amount", amount},
          {"currency", json::string_view(request_.currency->code.data(), request_.currency->code.size())},
          {"digits", request_.currency->digits}};
}

json::object OfferWriter::offer(const Trip& trip) const {
  // Each adult pays a whole number of minor units, so that the price divides among them without a rest.
  const std::int64_t one = from_euro_cents(trip.euro_cents, *request_.currency);
  json::object result{{"id", id(trip)},
                      {"price", money(one * request_.adults)},
                      {"price_per_adult", money(one)},
                      {"airline", airline(trip.out->airline()).iata},
                      {"outbound", leg(*trip.out)}};
  if (trip.back != nullptr) result.emplace("return", leg(*trip.back));
  result.emplace("modelled", true);
  return result;
}

json::object OfferWriter::airports(const std::vector<Trip>& trips) const {
  std::set<int> used{request_.origin, request_.destination};
  for (const Trip& trip : trips) {
    for (const Journey* journey : {trip.out, trip.back}) {
      if (journey == nullptr) continue;
      for (const Segment& part : journey->segments) used.insert(part.from);
    }
  }
  json::object result;
  for (const int index : used)
    result.emplace(airport(index).iata, json::object{{"name", airport(index).name},
                                                     {"city", airport(index).city},
                                                     {"country", airport(index).country}});
  return result;
}

json::object OfferWriter::airlines(const std::vector<Trip>& trips) const {
  std::set<int> used;
  for (const Trip& trip : trips) used.insert(trip.out->airline());
  json::object result;
  for (const int index : used) result.emplace(airline(index).iata, airline(index).name);
  return result;
}

}  // namespace timetable
