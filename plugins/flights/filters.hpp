#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "flights/offer.hpp"

namespace flights {

// A span of clock times, both ends included. With `earliest` after `latest` it goes over midnight: 22:00 to 02:00 holds
// 23:30 and 01:00.
struct Window {
  ClockMinutes earliest = 0;
  ClockMinutes latest = 0;

  // Both ends must be given.
  static Window parse(const Field& field);
  bool contains(ClockMinutes clock) const;
};

// What a traveler will not have. Everything that is absent allows everything.
struct Filters {
  std::optional<std::int64_t> max_stops;  // of each way; `non_stop_only` makes it 0
  std::set<std::string> excluded_airlines;
  std::optional<Window> outbound_departure;
  std::optional<Window> outbound_arrival;
  std::optional<Window> return_departure;  // says nothing about one-way offers, as the next one
  std::optional<Window> return_arrival;
  std::optional<Money> price_ceiling;
  bool ceiling_knows_digits = false;

  // Each key of `own` that is given counts, else that of `defaults`; both may be absent.
  static Filters parse(const Field& own, const Field& defaults);
  static Filters parse(const Field& own) { return parse(own, own); }

  // Why the offer falls out, as short stable codes; empty when it passes.
  std::vector<std::string> reasons_against(const Offer& offer) const;
};

// How often each reason was met; an offer counts under every reason it has.
using ReasonCounts = std::map<std::string, int>;
json::object to_json(const ReasonCounts& counts);
// "3 too_many_stops, 1 too_expensive"
std::string text(const ReasonCounts& counts);

}  // namespace flights
