#include "flights/filters.hpp"

#include <algorithm>

namespace flights {
namespace {

constexpr std::int64_t kStopsMax = 9;

ClockMinutes clock(const Field& field) {
  if (!field.given()) field.refuse("is missing; a window needs both ends, earliest and latest");
  const auto value = parse_clock(field.text());
  if (!value) field.refuse("'" + field.text() + "' is no clock time written as HH:MM, 00:00 to 23:59");
  return *value;
}

// Looks a filter up in a traveler's own filters and then in the defaults.
class Lookup {
 public:
  Lookup(const Field& own, const Field& defaults) : own_(own), defaults_(defaults) {
    for (const Field* filters : {&own_, &defaults_}) {
      if (filters->given())
        filters->allow_only({"non_stop_only", "max_stops", "excluded_airlines", "outbound_departure",
                             "outbound_arrival", "return_departure", "return_arrival", "price_ceiling"});
    }
  }
  Field operator()(std::string_view name) const {
    if (own_.given() && own_[name].given()) return own_[name];
    return defaults_.given() ? defaults_[name] : defaults_;
  }

 private:
  const Field& own_;
  const Field& defaults_;
};

std::optional<Window> window(const Field& field) {
  if (!field.given()) return std::nullopt;
  return Window::parse(field);
}

std::set<std::string> airlines(const Field& field) {
  std::set<std::string> codes;
  if (!field.given()) return codes;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const std::string code = field[i].text();
    const bool good = code.size() == 2 && std::all_of(code.begin(), code.end(), [](char c) {
                        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
                      });
    if (!good) field[i].refuse("'" + code + "' is no IATA airline code (two capital letters or digits, such as LH)");
    codes.insert(code);
  }
  return codes;
}

bool flown_by(const Leg& leg, const std::set<std::string>& codes) {
  return std::any_of(leg.airlines.begin(), leg.airlines.end(),
                     [&codes](const std::string& code) { return codes.contains(code); });
}

}  // namespace

Window Window::parse(const Field& field) {
  field.allow_only({"earliest", "latest"});
  return {clock(field["earliest"]), clock(field["latest"])};
}

bool Window::contains(ClockMinutes clock) const {
  if (earliest <= latest) return clock >= earliest && clock <= latest;
  return clock >= earliest || clock <= latest;
}

Filters Filters::parse(const Field& own, const Field& defaults) {
  const Lookup find(own, defaults);
  Filters filters;
  if (const Field field = find("max_stops"); field.given()) filters.max_stops = field.whole(0, kStopsMax);
  if (const Field field = find("non_stop_only"); field.given() && field.flag()) filters.max_stops = 0;
  filters.excluded_airlines = airlines(find("excluded_airlines"));
  filters.outbound_departure = window(find("outbound_departure"));
  filters.outbound_arrival = window(find("outbound_arrival"));
  filters.return_departure = window(find("return_departure"));
  filters.return_arrival = window(find("return_arrival"));
  if (const Field field = find("price_ceiling"); field.given()) {
    filters.price_ceiling = Money::parse(field);
    filters.ceiling_knows_digits = field["digits"].given();
  }
  return filters;
}

std::vector<std::string> Filters::reasons_against(const Offer& offer) const {
  std::vector<std::string> reasons;
  const auto say = [&reasons](bool falls_out, const char* reason) {
    if (falls_out) reasons.emplace_back(reason);
  };
  const auto outside = [](const std::optional<Window>& allowed, ClockMinutes clock) {
    return allowed && !allowed->contains(clock);
  };
  const Leg* back = offer.back ? &*offer.back : nullptr;
  say(max_stops && (offer.outbound.stops > *max_stops || (back != nullptr && back->stops > *max_stops)),
      "too_many_stops");
  say(excluded_airlines.contains(offer.airline) || flown_by(offer.outbound, excluded_airlines) ||
          (back != nullptr && flown_by(*back, excluded_airlines)),
      "excluded_airline");
  say(outside(outbound_departure, offer.outbound.departure_clock), "outbound_departure");
  say(outside(outbound_arrival, offer.outbound.arrival_clock), "outbound_arrival");
  say(back != nullptr && outside(return_departure, back->departure_clock), "return_departure");
  say(back != nullptr && outside(return_arrival, back->arrival_clock), "return_arrival");
  if (price_ceiling) {
    // A ceiling in another currency cannot be compared, and an offer that may break it must not pass.
    const bool comparable = offer.price.currency == price_ceiling->currency &&
                            (!ceiling_knows_digits || offer.price.digits == price_ceiling->digits);
    say(!comparable, "other_currency_than_ceiling");
    say(comparable && offer.price.amount > price_ceiling->amount, "too_expensive");
  }
  return reasons;
}

json::object to_json(const ReasonCounts& counts) {
  json::object result;
  for (const auto& [reason, count] : counts) result.emplace(reason, count);
  return result;
}

std::string text(const ReasonCounts& counts) {
  std::string result;
  for (const auto& [reason, count] : counts)
    result += (result.empty() ? "" : ", ") + std::to_string(count) + " " + reason;
  return result;
}

}  // namespace flights
