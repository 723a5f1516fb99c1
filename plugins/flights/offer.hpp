#pragma once
#include <optional>
#include <string>
#include <vector>

#include "flights/field.hpp"
#include "flights/money.hpp"

namespace flights {

// Minutes since midnight on the clock of an airport.
using ClockMinutes = int;

// "HH:MM" from 00:00 to 23:59.
std::optional<ClockMinutes> parse_clock(std::string_view text);

// One way of an offer, with what filters and people ask about it.
struct Leg {
  std::string from;
  std::string to;
  std::string departure;  // local, YYYY-MM-DDTHH:MM
  std::string arrival;    // local, YYYY-MM-DDTHH:MM
  ClockMinutes departure_clock = 0;
  ClockMinutes arrival_clock = 0;
  std::int64_t minutes = 0;
  std::int64_t stops = 0;
  std::vector<std::string> airlines;        // of the segments, in order
  std::vector<std::string> flight_numbers;  // of the segments, in order

  static Leg parse(const Field& field);
  json::object to_json() const;
};

// An offer of flight-search/1, read and checked.
struct Offer {
  std::string id;
  Money price;
  std::string airline;
  Leg outbound;
  std::optional<Leg> back;
  bool modelled = false;
  const json::value* source = nullptr;  // the offer as the provider gave it

  static Offer parse(const Field& field);
  // Entries that are null are passed over: a job that keeps "the first three offers" of two gets such a list.
  static std::vector<Offer> parse_list(const Field& field);

  // Everything a person wants to see of it, without the provider's details.
  json::object summary() const;
  // Whether this one is to be preferred: lower price, then less time under way, then earlier departure, then id. Within
  // one currency only.
  bool better_than(const Offer& other) const;
};

}  // namespace flights
