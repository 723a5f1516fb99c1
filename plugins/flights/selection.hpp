#pragma once
#include <optional>
#include <vector>

#include "flights/filters.hpp"

namespace flights {

// Which offers pass the filters and why the others fell out.
struct Selection {
  struct Dropped {
    std::size_t index = 0;
    std::vector<std::string> reasons;
  };
  std::vector<std::size_t> kept;  // indices into the offers
  std::vector<Dropped> dropped;
  ReasonCounts reasons;

  static Selection of(const std::vector<Offer>& offers, const Filters& filters);
  // Index of the cheapest kept offer. Ends the call with mixed_currencies when the kept offers cannot be compared.
  std::optional<std::size_t> cheapest(const std::vector<Offer>& offers) const;
};

// Stage flights.filter: {offers, filters} to {offers, kept, dropped, reasons, dropped_offers}.
json::object filter_offers(const json::object& input);
// Stage flights.cheapest: {offers, filters} to {found, offer, kept, dropped, reasons}; with the items of a foreach as
// `found`, one of these for each pair.
json::object cheapest_offers(const json::object& input);

}  // namespace flights
