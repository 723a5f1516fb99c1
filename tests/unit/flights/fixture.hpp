#pragma once
#include <catch2/catch.hpp>
#include <string>

#include "flights/field.hpp"

namespace flights::test {

// An offer as flight-search/1 has it, as far as the stages look at it.
struct OfferSpec {
  std::string id = "o1";
  std::int64_t amount = 10000;
  std::string currency = "EUR";
  int digits = 2;
  std::string airline = "LH";
  std::string departure = "2027-05-14T09:20";
  std::string arrival = "2027-05-14T11:30";
  int stops = 0;
  bool round_trip = false;
  std::string return_departure = "2027-05-17T18:00";
  std::string return_arrival = "2027-05-17T20:10";
};

inline json::object leg(const OfferSpec& spec, const std::string& departure, const std::string& arrival) {
  json::array segments;
  for (int i = 0; i <= spec.stops; ++i)
    segments.push_back(
        json::object{{"airline", spec.airline}, {"flight_number", spec.airline + std::to_string(100 + i)}});
  return {{"from", "LIS"},
          {"to", "FRA"},
          {"departure", json::object{{"local", departure}}},
          {"arrival", json::object{{"local", arrival}}},
          {"minutes", 130},
          {"stops", spec.stops},
          {"segments", std::move(segments)}};
}

inline json::object offer(const OfferSpec& spec) {
  json::object result{
      {"id", spec.id},
      {"price", json::object{{"amount", spec.amount}, {"currency", spec.currency}, {"digits", spec.digits}}},
      {"airline", spec.airline},
      {"outbound", leg(spec, spec.departure, spec.arrival)},
      {"modelled", true}};
  if (spec.round_trip) result["return"] = leg(spec, spec.return_departure, spec.return_arrival);
  return result;
}

// An item of a foreach that succeeded with these offers, or failed.
inline json::object answered(json::value item, json::array offers) {
  return {{"item", std::move(item)},
          {"index", 0},
          {"state", "succeeded"},
          {"output", json::object{{"offers", std::move(offers)}}}};
}
inline json::object failed(json::value item, const char* code) {
  return {{"item", std::move(item)},
          {"index", 0},
          {"state", "failed"},
          {"error", json::object{{"code", code}, {"message", "it did not work"}}}};
}

// What the call complains about: "code: text", or "" when it goes through.
template <typename Call>
std::string complaint(Call&& call) {
  try {
    call();
  } catch (const godwit::Failure& failure) {
    return failure.code() + ": " + failure.message();
  }
  return {};
}

}  // namespace flights::test
