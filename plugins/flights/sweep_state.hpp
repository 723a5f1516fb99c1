#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>

#include "flights/filters.hpp"

namespace flights {

// What a sweep knows so far: how much was searched and found, the best price, the cheapest price of each day. A fold:
// searches may be added in any order with the same result. Prices of several currencies are kept side by side and never
// compared.
class SweepState {
 public:
  // An answer of flight-search/1, whole or reduced to {offers, found}. The offers that pass the filters count; without
  // any filter `found` counts, since it knows of offers that were cut off.
  void add_answer(const std::string& destination, const std::string& date, const Field& answer, const Filters* filters);
  void add_failure(const std::string& destination, const std::string& date, const std::string& code,
                   const std::string& text);

  std::int64_t completed() const { return completed_; }
  std::int64_t found_flights() const { return found_flights_; }
  // The best price, if all prices are of one currency, else null.
  json::value best_price() const;
  // What the stages give; `total_tasks` is the number of searches in all.
  json::object result(std::int64_t total_tasks) const;

  // For checkpoints: everything but the prices by day, which grow with the sweep, and those of one destination.
  json::object save() const;
  json::array save_days(const std::string& destination) const;
  static SweepState restore(const Field& saved);
  void restore_days(const std::string& destination, const Field& saved);

 private:
  // A price and the search it came from.
  struct Best {
    Money price;
    std::string destination;
    std::string date;
    json::object offer;  // summary

    bool better_than(const Best& other) const;
    json::object to_json() const;
    static Best parse(const Field& field);
  };
  using Currency = std::pair<std::string, int>;  // code, digits
  struct Destination {
    std::string city;
    std::int64_t searches = 0;
    std::int64_t failed = 0;
    std::int64_t found_flights = 0;
    std::map<Currency, std::map<std::string, std::int64_t>> days;  // cheapest amount by date
  };
  struct SearchError {
    std::string destination;
    std::string date;
    std::string code;
    std::string text;
    auto operator<=>(const SearchError&) const = default;
  };

  void add_price(const std::string& destination, const std::string& date, const Offer& offer);
  json::array destinations_json() const;
  json::array cheapest_days_json() const;
  json::array calendar_json() const;
  json::array errors_json() const;

  std::int64_t completed_ = 0;  // searches that were answered or failed for good
  std::int64_t failed_ = 0;
  std::int64_t found_flights_ = 0;
  std::map<Currency, Best> best_;
  std::map<std::string, Destination> destinations_;
  ReasonCounts failures_;
  std::set<SearchError> first_errors_;  // the first few by destination and date
};

// Stage flights.sweep_fold: {found, filters} with the items of a foreach over product(destinations, dates).
json::object sweep_fold(const json::object& input);

}  // namespace flights
