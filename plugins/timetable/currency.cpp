#include "timetable/currency.hpp"

#include <algorithm>
#include <iterator>

namespace timetable {
namespace {

constexpr Currency kCurrencies[] = {
    {"AED", 2, 40000},  {"AUD", 2, 16500},   {"BRL", 2, 60000},  {"CAD", 2, 15000},   {"CHF", 2, 9500},
    {"CNY", 2, 78000},  {"CZK", 2, 250000},  {"DKK", 2, 74600},  {"EUR", 2, 10000},   {"GBP", 2, 8500},
    {"HKD", 2, 84000},  {"HUF", 2, 4000000}, {"INR", 2, 920000}, {"JPY", 0, 1650000}, {"KRW", 0, 15000000},
    {"KWD", 3, 3300},   {"MXN", 2, 200000},  {"NOK", 2, 116000}, {"NZD", 2, 18000},   {"PLN", 2, 43000},
    {"SEK", 2, 112000}, {"SGD", 2, 14500},   {"THB", 2, 380000}, {"TND", 3, 34000},   {"USD", 2, 10800},
    {"ZAR", 2, 200000},
};

}  // namespace

const Currency* find_currency(std::string_view code) {
  const auto found = std::find_if(std::begin(kCurrencies), std::end(kCurrencies),
                                  [code](const Currency& c) { return c.code == code; });
  return found == std::end(kCurrencies) ? nullptr : found;
}

std::string currency_codes() {
  std::string codes;
  for (const Currency& currency : kCurrencies) {
    if (!codes.empty()) codes += ", ";
    codes += currency.code;
  }
  return codes;
}

std::int64_t from_euro_cents(std::int64_t cents, const Currency& currency) {
  constexpr std::int64_t kCents = 100;
  constexpr std::int64_t kRateScale = 10000;
  std::int64_t units = cents * currency.per_euro;
  for (int i = 0; i < currency.digits; ++i) units *= 10;
  return (units + kCents * kRateScale / 2) / (kCents * kRateScale);
}

}  // namespace timetable
