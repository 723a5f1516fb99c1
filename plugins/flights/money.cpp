#include "flights/money.hpp"

#include <algorithm>
#include <stdexcept>

namespace flights {
namespace {

// A thousand times this still fits into 64 bits; no fare comes near it.
constexpr std::int64_t kAmountMax = 1'000'000'000'000'000;
constexpr int kDigitsMax = 4;

std::int64_t add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) godwit::fail("overflow", "the sum of the prices is too large to be counted");
  return sum;
}

}  // namespace

Money Money::parse(const Field& field) {
  Money money{field["amount"].whole(0, kAmountMax), field["currency"].text(), 2};
  if (field["digits"].given()) money.digits = static_cast<int>(field["digits"].whole(0, kDigitsMax));
  const bool good = money.currency.size() == 3 && std::all_of(money.currency.begin(), money.currency.end(),
                                                              [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!good)
    field["currency"].refuse("'" + money.currency + "' is no ISO 4217 code (three capital letters, such as EUR)");
  return money;
}

std::string Money::text() const {
  const std::string number = std::to_string(amount);
  const auto decimals = static_cast<std::size_t>(digits);
  std::string result;
  if (decimals == 0) {
    result = number;
  } else {
    // At least one digit stands before the point: 5 cents are 0.05.
    const std::string padded = std::string(number.size() <= decimals ? decimals + 1 - number.size() : 0, '0') + number;
    result.append(padded, 0, padded.size() - decimals).append(1, '.').append(padded, padded.size() - decimals);
  }
  return result.append(1, ' ').append(currency);
}

json::object Money::to_json() const {
  return {{"amount", amount}, {"currency", currency}, {"digits", digits}, {"text", text()}};
}

std::int64_t divide_half_even(std::int64_t numerator, std::int64_t divisor) {
  const std::int64_t whole = numerator / divisor;
  const std::int64_t rest = numerator % divisor;
  const std::int64_t missing = divisor - rest;
  const bool up = rest > missing || (rest == missing && whole % 2 == 1);
  return whole + (up ? 1 : 0);
}

PriceStatistics PriceStatistics::of(const std::vector<Money>& prices) {
  if (prices.empty()) throw std::logic_error("statistics of no prices");
  const Money& model = prices.front();
  std::vector<std::int64_t> amounts;
  std::int64_t total = 0;
  for (const Money& price : prices) {
    if (!price.same_currency(model)) throw std::logic_error("prices of several currencies must not be added");
    amounts.push_back(price.amount);
    total = add(total, price.amount);
  }
  PriceStatistics statistics;
  statistics.cheapest = static_cast<std::size_t>(std::min_element(amounts.begin(), amounts.end()) - amounts.begin());
  statistics.most_expensive =
      static_cast<std::size_t>(std::max_element(amounts.begin(), amounts.end()) - amounts.begin());
  std::sort(amounts.begin(), amounts.end());
  const std::size_t middle = amounts.size() / 2;
  const std::int64_t median =
      amounts.size() % 2 == 1 ? amounts[middle] : divide_half_even(add(amounts[middle - 1], amounts[middle]), 2);
  const auto money = [&model](std::int64_t amount) { return Money{amount, model.currency, model.digits}; };
  statistics.total = money(total);
  statistics.average = money(divide_half_even(total, static_cast<std::int64_t>(amounts.size())));
  statistics.median = money(median);
  return statistics;
}

}  // namespace flights
