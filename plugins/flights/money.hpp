#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "flights/field.hpp"

namespace flights {

// An amount in whole minor units of one currency. There is no arithmetic between currencies, and none in fractions.
struct Money {
  std::int64_t amount = 0;
  std::string currency;  // ISO 4217
  int digits = 2;        // decimals of the minor unit

  // {amount, currency, digits} as flight-search/1 has it.
  static Money parse(const Field& field);
  bool same_currency(const Money& other) const { return currency == other.currency && digits == other.digits; }
  std::string text() const;  // "142.30 EUR"
  // {amount, currency, digits, text}
  json::object to_json() const;
};

// The sum over prices of one currency and what follows from it. Average and median are rounded to whole minor units,
// halves to the even one, so that rounding favours nobody in the long run.
struct PriceStatistics {
  Money total;
  Money average;
  Money median;                    // of an even number of prices the mean of the two in the middle
  std::size_t cheapest = 0;        // index of the first lowest price
  std::size_t most_expensive = 0;  // index of the first highest price

  // `prices` holds at least one price, all in one currency.
  static PriceStatistics of(const std::vector<Money>& prices);
};

// numerator / divisor to the nearest whole number, halves to the even one; neither is negative.
std::int64_t divide_half_even(std::int64_t numerator, std::int64_t divisor);

}  // namespace flights
