#include "timetable/request.hpp"

#include <algorithm>
#include <iterator>

namespace timetable {
namespace {

constexpr std::string_view kFields[] = {"origin",    "destination", "depart",   "return", "adults", "excluded_airlines",
                                        "max_stops", "max_offers",  "currency", "as_of"};

[[noreturn]] void bad(std::string_view code, std::string_view field, const std::string& what) {
  godwit::fail(code, std::string(field) + ": " + what);
}

// A field that is absent and one that is null mean the same: a job file's expression gives null for what it was not
// told.
const json::value* field(const json::object& args, std::string_view name) {
  const json::value* value = args.if_contains(json::string_view(name.data(), name.size()));
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::optional<std::string> text(const json::object& args, std::string_view name) {
  const json::value* value = field(args, name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) bad("bad_request", name, "must be a string");
  return std::string(value->get_string());
}

int whole(const json::object& args, std::string_view name, int low, int high, int otherwise) {
  const json::value* value = field(args, name);
  if (value == nullptr) return otherwise;
  boost::system::error_code problem;
  const auto number = value->is_number() ? value->to_number<std::int64_t>(problem) : std::int64_t{-1};
  if (!value->is_number() || problem || number < low || number > high)
    bad("bad_request", name, "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return static_cast<int>(number);
}

int airport(const json::object& args, std::string_view name, const Catalog& catalog) {
  const auto code = text(args, name);
  if (!code) bad("bad_request", name, "is missing");
  const int index = catalog.find_airport(*code);
  if (index == Catalog::kNone)
    bad("unknown_airport", name,
        "there is no airport '" + *code + "' in the timetable; give an IATA code such as LIS, or load a fuller table");
  return index;
}

std::optional<Day> day(const json::object& args, std::string_view name) {
  const auto written = text(args, name);
  if (!written) return std::nullopt;
  const auto parsed = Day::parse(*written);
  if (!parsed)
    bad("bad_date", name, "'" + *written + "' is no day from 2000-01-01 to 2037-12-31 written as YYYY-MM-DD");
  return parsed;
}

std::set<int> airlines(const json::object& args, const Catalog& catalog) {
  std::set<int> result;
  const json::value* list = field(args, "excluded_airlines");
  if (list == nullptr) return result;
  // An empty table of Lua has no type of its own and may arrive as an empty object.
  if (list->is_object() && list->get_object().empty()) return result;
  if (!list->is_array()) bad("bad_request", "excluded_airlines", "must be a list of airline codes");
  for (const json::value& code : list->get_array()) {
    if (!code.is_string()) bad("bad_request", "excluded_airlines", "must hold strings only");
    if (const int index = catalog.find_airline(code.get_string()); index != Catalog::kNone) result.insert(index);
  }
  return result;
}

void refuse_unknown_fields(const json::object& args) {
  for (const auto& member : args) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::find(std::begin(kFields), std::end(kFields), name) == std::end(kFields))
      bad("bad_request", name, "flight-search/1 has no such field");
  }
}

}  // namespace

Request Request::parse(const json::object& args, const Catalog& catalog, const Currency& default_currency) {
  refuse_unknown_fields(args);
  Request request;
  request.origin = airport(args, "origin", catalog);
  request.destination = airport(args, "destination", catalog);
  if (request.origin == request.destination) bad("same_airport", "destination", "is the origin as well");
  const auto depart = day(args, "depart");
  if (!depart) bad("bad_request", "depart", "is missing");
  request.depart = *depart;
  request.back = day(args, "return");
  if (request.back && *request.back < request.depart)
    bad("return_before_departure", "return",
        request.back->text() + " is before the departure on " + request.depart.text());
  request.adults = whole(args, "adults", 1, 9, 1);
  request.excluded_airlines = airlines(args, catalog);
  request.max_stops = whole(args, "max_stops", 0, 9, 9);
  request.max_offers = whole(args, "max_offers", 1, 250, 50);
  request.as_of = day(args, "as_of");
  request.currency = &default_currency;
  if (const auto code = text(args, "currency")) {
    request.currency = find_currency(*code);
    if (request.currency == nullptr) bad("bad_request", "currency", "'" + *code + "' is none of " + currency_codes());
  }
  return request;
}

}  // namespace timetable
