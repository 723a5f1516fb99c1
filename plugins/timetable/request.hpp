#pragma once
#include <godwit/sdk.hpp>

#include <optional>
#include <set>
#include <string>

#include "timetable/catalog.hpp"
#include "timetable/currency.hpp"
#include "timetable/day.hpp"

namespace timetable {

namespace json = godwit::json;

// One search as the contract flight-search/1 asks it, checked.
struct Request {
  int origin = 0;       // index into the catalog
  int destination = 0;  // index into the catalog
  Day depart;
  std::optional<Day> back;  // `return` of the contract; absent means one way
  int adults = 1;
  std::set<int> excluded_airlines;  // indices into the catalog; codes it does not know exclude nothing
  int max_stops = 9;
  int max_offers = 50;
  const Currency* currency = nullptr;
  std::optional<Day> as_of;  // the day of booking

  // Throws godwit::Failure with a code of the contract and a text that names the field.
  static Request parse(const json::object& args, const Catalog& catalog, const Currency& default_currency);
};

}  // namespace timetable
