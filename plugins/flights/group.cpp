#include "flights/group.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "flights/items.hpp"
#include "flights/selection.hpp"

namespace flights {
namespace {

// Somebody who wants to get there, with the filters that hold for them.
struct Traveler {
  std::string name;
  std::string origin;
  Filters filters;
  Field source;
};

// What the search for one traveler and one destination came to: an offer, or the reason why there is none.
struct Cell {
  bool searched = false;
  std::optional<Offer> offer;
  std::string code = "not_searched";
  std::string text = "there is no search for this pair";
};

// Travelers by destinations.
class Table {
 public:
  Table(std::vector<Traveler> travelers, std::vector<std::string> destinations)
      : travelers_(std::move(travelers)),
        destinations_(std::move(destinations)),
        cells_(travelers_.size() * destinations_.size()) {
    for (std::size_t t = 0; t < travelers_.size(); ++t)
      by_name_[{travelers_[t].name, travelers_[t].origin}].push_back(t);
    for (std::size_t d = 0; d < destinations_.size(); ++d) by_code_.emplace(destinations_[d], d);
  }

  void put(const Field& result);

  const std::vector<Traveler>& travelers() const { return travelers_; }
  const std::vector<std::string>& destinations() const { return destinations_; }
  const Cell& cell(std::size_t traveler, std::size_t destination) const {
    return cells_[traveler * destinations_.size() + destination];
  }
  std::string city(std::size_t destination) const {
    const auto known = cities_.find(destination);
    return known == cities_.end() ? destinations_[destination] : known->second;
  }

 private:
  std::size_t destination_of(const Field& item) const;
  std::size_t traveler_of(const Field& item, std::size_t destination) const;
  void learn_city(const Field& output, std::size_t destination);

  std::vector<Traveler> travelers_;
  std::vector<std::string> destinations_;
  std::vector<Cell> cells_;
  std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> by_name_;
  std::map<std::string, std::size_t> by_code_;
  std::map<std::size_t, std::string> cities_;
};

std::size_t Table::destination_of(const Field& item) const {
  const auto known = by_code_.find(item[1].text());
  if (known == by_code_.end()) item[1].refuse("'" + item[1].text() + "' is not among the destinations");
  return known->second;
}

// Two travelers may have the same name; then the whole entry decides, and of equal entries each gets a search.
std::size_t Table::traveler_of(const Field& item, std::size_t destination) const {
  const Field who = item[0];
  const auto known = by_name_.find({who["name"].text(), who["origin_airport"].text()});
  if (known == by_name_.end())
    who.refuse("'" + who["name"].text() + "' from " + who["origin_airport"].text() + " is not among the travelers");
  const std::vector<std::size_t>& candidates = known->second;
  if (candidates.size() == 1) return candidates.front();
  for (const std::size_t t : candidates) {
    if (!cell(t, destination).searched && travelers_[t].source.value() == who.value()) return t;
  }
  who.refuse("there are more searches for '" + who["name"].text() + "' to " + destinations_[destination] +
             " than travelers of this kind");
}

void Table::learn_city(const Field& output, std::size_t destination) {
  if (cities_.contains(destination) || !output["airports"].given()) return;
  const Field airport = output["airports"][destinations_[destination]];
  if (airport.given() && airport["city"].given()) cities_.emplace(destination, airport["city"].text());
}

// Fills a cell from the provider's answer; the offers' own faults are the pair's, not the group's.
void search_result(const Field& output, const Filters& filters, Cell& cell) {
  try {
    std::vector<Offer> offers = Offer::parse_list(output["offers"]);
    const Selection selection = Selection::of(offers, filters);
    if (const auto best = selection.cheapest(offers)) {
      cell.offer = std::move(offers[*best]);
    } else if (offers.empty()) {
      cell.code = "no_flight";
      cell.text = "the search found no flight";
    } else {
      cell.code = "filtered_out";
      cell.text = "none of " + std::to_string(offers.size()) + " offers passes the filters: " + text(selection.reasons);
    }
  } catch (const godwit::Failure& failure) {
    cell.code = failure.code() == "bad_input" ? "bad_offer" : failure.code();
    cell.text = failure.message();
  }
}

void Table::put(const Field& result) {
  const ItemResult item = ItemResult::parse(result);
  const std::size_t destination = destination_of(item.item);
  const std::size_t traveler = traveler_of(item.item, destination);
  Cell& cell = cells_[traveler * destinations_.size() + destination];
  if (cell.searched) item.item.refuse("this pair was searched twice");
  cell.searched = true;
  if (!item.succeeded) {
    cell.code = item.code;
    cell.text = item.message;
    return;
  }
  learn_city(item.output, destination);
  search_result(item.output, travelers_[traveler].filters, cell);
}

// The defaults for all travelers, with the price ceiling of the group as one of them.
json::object default_filters(const Field& input) {
  json::object filters = input["default_filters"].given() ? input["default_filters"].object() : json::object();
  if (input["price_ceiling"].given()) {
    if (filters.contains("price_ceiling")) input["price_ceiling"].refuse("is given in default_filters as well");
    filters.emplace("price_ceiling", input["price_ceiling"].value());
  }
  return filters;
}

std::vector<Traveler> parse_travelers(const Field& list, const Field& defaults) {
  if (list.size() == 0) list.refuse("must name at least one traveler");
  std::vector<Traveler> travelers;
  for (std::size_t i = 0; i < list.size(); ++i) {
    list[i].allow_only({"name", "origin_airport", "filters"});
    travelers.push_back({list[i]["name"].text(), list[i]["origin_airport"].airport(),
                         Filters::parse(list[i]["filters"], defaults), list[i]});
  }
  return travelers;
}

std::vector<std::string> parse_destinations(const Field& list) {
  if (list.size() == 0) list.refuse("must name at least one airport");
  std::vector<std::string> codes;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string code = list[i].airport();
    if (std::find(codes.begin(), codes.end(), code) != codes.end()) list[i].refuse(code + " is in the list twice");
    codes.push_back(code);
  }
  return codes;
}

// The flights of one currency to one destination, and what they come to.
struct CurrencyPart {
  std::vector<std::size_t> travelers;
  std::vector<Money> prices;

  json::object to_json(const Table& table) const {
    const PriceStatistics sums = PriceStatistics::of(prices);
    const auto who = [&](std::size_t i) {
      return json::object{{"traveler", table.travelers()[travelers[i]].name}, {"price", prices[i].to_json()}};
    };
    return {{"currency", prices.front().currency},
            {"flights_counted", prices.size()},
            {"total", sums.total.to_json()},
            {"average", sums.average.to_json()},
            {"median", sums.median.to_json()},
            {"cheapest", who(sums.cheapest)},
            {"most_expensive", who(sums.most_expensive)}};
  }
};

// A destination everybody can reach, as it is written and as it is ordered.
struct Meeting {
  json::object entry;
  bool mixed = false;
  std::string currency;
  std::int64_t total = 0;
  std::string code;
};

Meeting meeting_at(const Table& table, std::size_t destination) {
  std::map<std::pair<std::string, int>, CurrencyPart> parts;
  json::array flights;
  for (std::size_t t = 0; t < table.travelers().size(); ++t) {
    const Offer& offer = *table.cell(t, destination).offer;
    json::object flight{{"traveler", table.travelers()[t].name}, {"origin_airport", table.travelers()[t].origin}};
    for (auto& member : offer.summary()) flight.emplace(member.key(), std::move(member.value()));
    flights.push_back(std::move(flight));
    CurrencyPart& part = parts[{offer.price.currency, offer.price.digits}];
    part.travelers.push_back(t);
    part.prices.push_back(offer.price);
  }
  Meeting meeting{{{"destination", table.destinations()[destination]}, {"city", table.city(destination)}},
                  parts.size() > 1,
                  {},
                  0,
                  table.destinations()[destination]};
  meeting.entry.emplace("mixed_currencies", meeting.mixed);
  if (meeting.mixed) {
    json::array by_currency;
    for (const auto& [currency, part] : parts) by_currency.push_back(part.to_json(table));
    meeting.entry.emplace("by_currency", std::move(by_currency));
  } else {
    const json::object sums = parts.begin()->second.to_json(table);
    meeting.currency = parts.begin()->first.first;
    meeting.total = sums.at("total").at("amount").as_int64();
    for (const auto& member : sums) meeting.entry.emplace(member.key(), member.value());
  }
  meeting.entry.emplace("flights", std::move(flights));
  return meeting;
}

json::array reasons_to_leave_out(const Table& table, std::size_t destination) {
  json::array reasons;
  for (std::size_t t = 0; t < table.travelers().size(); ++t) {
    const Cell& cell = table.cell(t, destination);
    if (cell.offer) continue;
    const Traveler& traveler = table.travelers()[t];
    reasons.push_back(json::object{
        {"traveler", traveler.name}, {"origin_airport", traveler.origin}, {"code", cell.code}, {"text", cell.text}});
  }
  return reasons;
}

// Totals of one currency stand together, those of the currency with most destinations first; within a currency the
// lowest total is first.
void sort_meetings(std::vector<Meeting>& meetings) {
  std::map<std::string, int> counts;
  for (const Meeting& meeting : meetings) ++counts[meeting.currency];
  const auto key = [&counts](const Meeting& meeting) {
    return std::tuple(meeting.mixed, -counts[meeting.currency], std::string_view(meeting.currency), meeting.total,
                      std::string_view(meeting.code));
  };
  std::sort(meetings.begin(), meetings.end(), [&key](const Meeting& a, const Meeting& b) { return key(a) < key(b); });
}

}  // namespace

json::object rank_group(const json::object& input) {
  const Field fields(input);
  fields.allow_only({"found", "travelers", "destinations", "default_filters", "price_ceiling"});
  const json::object defaults = {{"default_filters", default_filters(fields)}};
  Table table(parse_travelers(fields["travelers"], Field(defaults)["default_filters"]),
              parse_destinations(fields["destinations"]));
  const Field found = fields["found"];
  for (std::size_t i = 0; i < found.size(); ++i) table.put(found[i]);

  std::vector<Meeting> meetings;
  json::array left_out;
  for (std::size_t d = 0; d < table.destinations().size(); ++d) {
    json::array reasons = reasons_to_leave_out(table, d);
    if (reasons.empty())
      meetings.push_back(meeting_at(table, d));
    else
      left_out.push_back(json::object{
          {"destination", table.destinations()[d]}, {"city", table.city(d)}, {"reasons", std::move(reasons)}});
  }
  sort_meetings(meetings);
  json::array destinations;
  for (Meeting& meeting : meetings) destinations.push_back(std::move(meeting.entry));
  return {{"travelers", table.travelers().size()},
          {"searches", found.size()},
          {"destinations", std::move(destinations)},
          {"left_out", std::move(left_out)}};
}

}  // namespace flights
