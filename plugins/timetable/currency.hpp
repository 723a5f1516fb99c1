#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace timetable {

// A currency the model can quote in. The rates are fixed round numbers of the model and say nothing about any market.
struct Currency {
  std::string_view code;  // ISO 4217
  int digits = 2;         // decimals of the minor unit: 2 for EUR (cents), 0 for JPY
  int per_euro = 10000;   // units for one euro, times 10,000
};

// Null when the model has no such currency.
const Currency* find_currency(std::string_view code);
// "AED, AUD, ...", for messages.
std::string currency_codes();
// Minor units of `currency` for an amount in euro cents, rounded half up.
std::int64_t from_euro_cents(std::int64_t cents, const Currency& currency);

}  // namespace timetable
