#pragma once
#include "flights/field.hpp"

namespace flights {

// Stage flights.rank_group: where can a group meet, and what does it cost? Takes the searches of every traveler to
// every destination as `found` (the items of a foreach over product(travelers, destinations)), `travelers`,
// `destinations`, `default_filters`, `price_ceiling`. Gives `destinations` where every traveler has a flight, the
// lowest total first, and `left_out` with the reason for each of the others. Prices of several currencies are never
// added: such a destination gets its sums by currency and stands after the others.
json::object rank_group(const json::object& input);

}  // namespace flights
