#include "timetable/openflights.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>

#include "timetable/csv.hpp"

namespace timetable {
namespace {

using Fields = std::vector<std::string>;
// Uses a record; gives the reason when it cannot, an empty text when it did.
using UseRecord = std::function<std::string(const Fields&)>;

constexpr std::size_t kSkipsShown = 5;

bool is_code(std::string_view text, std::size_t length) {
  return text.size() == length &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
}

std::optional<double> number(const std::string& text, double limit) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc() || result.ptr != end || !(value >= -limit && value <= limit)) return std::nullopt;
  return value;
}

LoadReport load(std::istream& input, const std::string& file, std::size_t columns,
                const std::function<bool(const Fields&)>& is_header, const UseRecord& use) {
  LoadReport report;
  report.file = file;
  CsvReader reader(input);
  bool first = true;
  while (const auto record = reader.next()) {
    const bool header = first && record->fields.size() >= columns && is_header(record->fields);
    first = false;
    if (header) continue;
    ++report.rows;
    std::string problem = record->problem;
    if (problem.empty() && record->fields.size() < columns) problem = "too few fields";
    if (problem.empty()) problem = use(record->fields);
    if (problem.empty()) {
      ++report.used;
      continue;
    }
    ++report.skipped[problem];
    if (report.first_skips.size() < kSkipsShown)
      report.first_skips.push_back(file + ":" + std::to_string(record->line) + ": " + problem);
  }
  return report;
}

enum AirportColumn {
  kName = 1,
  kCity,
  kCountry,
  kIata,
  kIcao,
  kLatitude,
  kLongitude,
  kAltitude,
  kOffset,
  kDst,
  kZone,
  kAirportColumns
};
enum AirlineColumn {
  kAirlineId = 0,
  kAirlineName,
  kAlias,
  kAirlineIata,
  kAirlineIcao,
  kCallsign,
  kAirlineCountry,
  kActive,
  kAirlineColumns
};
enum RouteColumn {
  kRouteAirline = 0,
  kRouteAirlineId,
  kSource,
  kSourceId,
  kTarget,
  kTargetId,
  kCodeshare,
  kStops,
  kRouteColumns
};

std::string read_airport(const Fields& fields, const Catalog& catalog, Airport& airport) {
  if (fields[kIata].empty()) return "no IATA code";
  if (!is_code(fields[kIata], 3)) return "the IATA code is not three letters";
  const auto latitude = number(fields[kLatitude], 90);
  const auto longitude = number(fields[kLongitude], 180);
  if (!latitude) return "the latitude is no number from -90 to 90";
  if (!longitude) return "the longitude is no number from -180 to 180";
  airport = {fields[kIata], fields[kName], fields[kCity], fields[kCountry], *latitude, *longitude, fields[kZone], 1};
  const int known = catalog.find_airport(airport.iata);
  if (airport.zone.empty() && known != Catalog::kNone)
    airport.zone = catalog.airports()[static_cast<std::size_t>(known)].zone;
  if (airport.zone.empty()) return "no time zone";
  if (airport.city.empty()) airport.city = airport.name;
  return {};
}

}  // namespace

std::string LoadReport::text() const {
  std::string result = file + ": " + std::to_string(used) + " of " + std::to_string(rows) + " records used";
  for (const auto& [reason, count] : skipped) result += "; " + std::to_string(count) + " skipped: " + reason;
  for (const std::string& skip : first_skips) result += "\n  " + skip;
  return result;
}

LoadReport load_airports(std::istream& input, const std::string& file, Catalog& catalog) {
  std::vector<Airport> airports;
  // Files write "Germany", the built-in tables "DE"; airports that are in both teach which is which.
  std::map<std::string, std::string> country_codes;
  const auto is_header = [](const Fields& fields) {
    return fields[kLatitude].find_first_of("0123456789") == std::string::npos;
  };
  LoadReport report = load(input, file, kAirportColumns, is_header, [&](const Fields& fields) {
    Airport airport;
    std::string problem = read_airport(fields, catalog, airport);
    if (!problem.empty()) return problem;
    const int known = catalog.find_airport(airport.iata);
    if (known != Catalog::kNone)
      country_codes[airport.country] = catalog.airports()[static_cast<std::size_t>(known)].country;
    airports.push_back(std::move(airport));
    return problem;
  });
  for (Airport& airport : airports) {
    if (const auto code = country_codes.find(airport.country); code != country_codes.end())
      airport.country = code->second;
    catalog.put(std::move(airport));
  }
  return report;
}

LoadReport load_airlines(std::istream& input, const std::string& file, Catalog& catalog) {
  const auto is_header = [](const Fields& fields) { return fields[kActive] != "Y" && fields[kActive] != "N"; };
  return load(input, file, kAirlineColumns, is_header, [&catalog](const Fields& fields) -> std::string {
    if (fields[kActive] != "Y") return "not active";
    if (!is_code(fields[kAirlineIata], 2)) return "no IATA code of two characters";
    // The same code was given to several airlines over the years; the first one stays, a built-in one above all.
    if (catalog.find_airline(fields[kAirlineIata]) != Catalog::kNone) return "the code is known already";
    catalog.put(Airline{fields[kAirlineIata], fields[kAirlineName], fields[kAirlineCountry], AirlineKind::network, {}});
    return {};
  });
}

LoadReport load_routes(std::istream& input, const std::string& file, Catalog& catalog) {
  const auto is_header = [](const Fields& fields) {
    return !is_code(fields[kSource], 3) && !is_code(fields[kSource], 4);
  };
  return load(input, file, kRouteColumns, is_header, [&catalog](const Fields& fields) -> std::string {
    if (fields[kCodeshare] == "Y") return "flown by another airline (code share)";
    if (fields[kStops] != "0") return "not a non-stop flight";
    const FileRoute route{catalog.find_airline(fields[kRouteAirline]), catalog.find_airport(fields[kSource]),
                          catalog.find_airport(fields[kTarget])};
    if (route.airline == Catalog::kNone) return "unknown airline";
    if (route.from == Catalog::kNone || route.to == Catalog::kNone) return "unknown airport";
    if (route.from == route.to) return "it goes nowhere";
    catalog.put(route);
    return {};
  });
}

}  // namespace timetable
