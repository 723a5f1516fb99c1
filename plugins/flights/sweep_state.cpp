#include "flights/sweep_state.hpp"

#include <algorithm>
#include <tuple>

#include "flights/items.hpp"
#include "flights/selection.hpp"

namespace flights {
namespace {

constexpr std::size_t kCheapestDays = 10;
constexpr std::size_t kErrorsKept = 20;
constexpr std::int64_t kCountMax = 1'000'000'000'000;

// A destination's cheapest day in one currency; the earlier of equal ones.
std::pair<std::string, std::int64_t> cheapest_day(const std::map<std::string, std::int64_t>& days) {
  return *std::min_element(days.begin(), days.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
}

// The airport's city, where the answer names it.
std::string city_of(const Field& answer, const std::string& airport) {
  if (!answer["airports"].given()) return {};
  const Field entry = answer["airports"][airport];
  return entry.given() && entry["city"].given() ? entry["city"].text() : std::string();
}

}  // namespace

bool SweepState::Best::better_than(const Best& other) const {
  const auto key = [](const Best& best) {
    return std::tuple(best.price.amount, std::string_view(best.date), std::string_view(best.destination),
                      best.offer.at("id").as_string());
  };
  return key(*this) < key(other);
}

json::object SweepState::Best::to_json() const {
  return {{"destination", destination}, {"date", date}, {"price", price.to_json()}, {"offer", offer}};
}

SweepState::Best SweepState::Best::parse(const Field& field) {
  return {Money::parse(field["price"]), field["destination"].text(), field["date"].text(), field["offer"].object()};
}

void SweepState::add_answer(const std::string& destination, const std::string& date, const Field& answer,
                            const Filters* filters) {
  // Read before anything is counted: an answer that makes no sense must leave no half of itself behind.
  const std::vector<Offer> offers = Offer::parse_list(answer["offers"]);
  const Selection selection = Selection::of(offers, filters == nullptr ? Filters{} : *filters);
  const bool knows_all = filters == nullptr && answer["found"].given();
  const std::int64_t found =
      knows_all ? answer["found"].whole(0, kCountMax) : static_cast<std::int64_t>(selection.kept.size());
  const auto cheapest = selection.cheapest(offers);
  const std::string city = city_of(answer, destination);

  Destination& entry = destinations_[destination];
  if (!city.empty() && (entry.city.empty() || city < entry.city)) entry.city = city;
  ++entry.searches;
  ++completed_;
  entry.found_flights += found;
  found_flights_ += found;
  if (cheapest) add_price(destination, date, offers[*cheapest]);
}

void SweepState::add_price(const std::string& destination, const std::string& date, const Offer& offer) {
  const Currency currency{offer.price.currency, offer.price.digits};
  const auto [day, is_new] = destinations_[destination].days[currency].emplace(date, offer.price.amount);
  if (!is_new) day->second = std::min(day->second, offer.price.amount);
  Best best{offer.price, destination, date, offer.summary()};
  const auto [known, first] = best_.emplace(currency, best);
  if (!first && best.better_than(known->second)) known->second = std::move(best);
}

void SweepState::add_failure(const std::string& destination, const std::string& date, const std::string& code,
                             const std::string& text) {
  Destination& entry = destinations_[destination];
  ++entry.searches;
  ++entry.failed;
  ++completed_;
  ++failed_;
  ++failures_[code];
  first_errors_.insert({destination, date, code, text});
  if (first_errors_.size() > kErrorsKept) first_errors_.erase(std::prev(first_errors_.end()));
}

json::value SweepState::best_price() const {
  if (best_.size() != 1) return nullptr;
  return best_.begin()->second.price.to_json();
}

json::array SweepState::destinations_json() const {
  // The cheapest first; one with prices in several currencies, or none, has no single price to stand by.
  std::vector<std::tuple<bool, std::string, std::int64_t, std::string>> order;
  for (const auto& [code, entry] : destinations_) {
    const bool one = entry.days.size() == 1;
    order.emplace_back(!one, one ? entry.days.begin()->first.first : std::string(),
                       one ? cheapest_day(entry.days.begin()->second).second : 0, code);
  }
  std::sort(order.begin(), order.end());
  json::array list;
  for (const auto& place : order) {
    const std::string& code = std::get<3>(place);
    const Destination& entry = destinations_.at(code);
    json::array best;
    for (const auto& [currency, days] : entry.days) {
      const auto [date, amount] = cheapest_day(days);
      best.push_back(json::object{{"date", date},
                                  {"price", Money{amount, currency.first, currency.second}.to_json()},
                                  {"days_with_flights", days.size()}});
    }
    list.push_back(json::object{{"destination", code},
                                {"city", entry.city.empty() ? code : entry.city},
                                {"searches", entry.searches},
                                {"failed", entry.failed},
                                {"found_flights", entry.found_flights},
                                {"best_price", best.size() == 1 ? best[0].at("price") : json::value()},
                                {"best_date", best.size() == 1 ? best[0].at("date") : json::value()},
                                {"best", std::move(best)}});
  }
  return list;
}

json::array SweepState::cheapest_days_json() const {
  std::vector<std::tuple<Currency, std::int64_t, std::string, std::string>> days;
  for (const auto& [code, entry] : destinations_) {
    for (const auto& [currency, amounts] : entry.days) {
      for (const auto& [date, amount] : amounts) days.emplace_back(currency, amount, date, code);
    }
  }
  std::sort(days.begin(), days.end());
  json::array list;
  std::size_t of_currency = 0;
  for (std::size_t i = 0; i < days.size(); ++i) {
    const auto& [currency, amount, date, code] = days[i];
    of_currency = i > 0 && std::get<0>(days[i - 1]) == currency ? of_currency + 1 : 1;
    if (of_currency > kCheapestDays) continue;
    list.push_back(json::object{
        {"destination", code}, {"date", date}, {"price", Money{amount, currency.first, currency.second}.to_json()}});
  }
  return list;
}

json::array SweepState::calendar_json() const {
  json::array calendar;
  for (const auto& [code, entry] : destinations_) {
    for (json::value& row : save_days(code)) {
      row.as_object().emplace("destination", code);
      calendar.push_back(std::move(row));
    }
  }
  return calendar;
}

json::array SweepState::errors_json() const {
  json::array errors;
  for (const SearchError& error : first_errors_)
    errors.push_back(json::object{
        {"destination", error.destination}, {"date", error.date}, {"code", error.code}, {"text", error.text}});
  return errors;
}

json::object SweepState::result(std::int64_t total_tasks) const {
  json::array best_by_currency;
  for (const auto& [currency, best] : best_) best_by_currency.push_back(best.to_json());
  return {{"total_tasks", total_tasks},
          {"completed_tasks", completed_},
          {"failed_tasks", failed_},
          {"found_flights", found_flights_},
          {"best_price", best_price()},
          {"best", best_by_currency.size() == 1 ? best_by_currency[0] : json::value()},
          {"best_by_currency", std::move(best_by_currency)},
          {"destinations", destinations_json()},
          {"cheapest_days", cheapest_days_json()},
          {"calendar", calendar_json()},
          {"failures", to_json(failures_)},
          {"first_failures", errors_json()}};
}

json::array SweepState::save_days(const std::string& destination) const {
  json::array rows;
  const auto entry = destinations_.find(destination);
  if (entry == destinations_.end()) return rows;
  for (const auto& [currency, days] : entry->second.days) {
    json::object amounts;
    for (const auto& [date, amount] : days) amounts.emplace(date, amount);
    rows.push_back(
        json::object{{"currency", currency.first}, {"digits", currency.second}, {"prices", std::move(amounts)}});
  }
  return rows;
}

void SweepState::restore_days(const std::string& destination, const Field& saved) {
  for (std::size_t i = 0; i < saved.size(); ++i) {
    const Currency currency{saved[i]["currency"].text(), static_cast<int>(saved[i]["digits"].whole(0, 4))};
    auto& days = destinations_[destination].days[currency];
    const Field prices = saved[i]["prices"];
    for (const auto& member : prices.object()) {
      const std::string date(member.key());
      days[date] = prices[date].whole(0, INT64_MAX);
    }
  }
}

json::object SweepState::save() const {
  json::array best;
  for (const auto& [currency, entry] : best_) best.push_back(entry.to_json());
  json::object destinations;
  for (const auto& [code, entry] : destinations_)
    destinations.emplace(code, json::object{{"city", entry.city},
                                            {"searches", entry.searches},
                                            {"failed", entry.failed},
                                            {"found_flights", entry.found_flights}});
  return {{"completed_tasks", completed_},           {"failed_tasks", failed_},
          {"found_flights", found_flights_},         {"best", std::move(best)},
          {"destinations", std::move(destinations)}, {"failures", to_json(failures_)},
          {"first_failures", errors_json()}};
}

SweepState SweepState::restore(const Field& saved) {
  SweepState state;
  state.completed_ = saved["completed_tasks"].whole(0, kCountMax);
  state.failed_ = saved["failed_tasks"].whole(0, kCountMax);
  state.found_flights_ = saved["found_flights"].whole(0, kCountMax);
  const Field best = saved["best"];
  for (std::size_t i = 0; i < best.size(); ++i) {
    Best entry = Best::parse(best[i]);
    const Currency currency{entry.price.currency, entry.price.digits};
    state.best_.emplace(currency, std::move(entry));
  }
  const Field destinations = saved["destinations"];
  for (const auto& member : destinations.object()) {
    const std::string code(member.key());
    const Field entry = destinations[code];
    state.destinations_[code] = {entry["city"].text(),
                                 entry["searches"].whole(0, kCountMax),
                                 entry["failed"].whole(0, kCountMax),
                                 entry["found_flights"].whole(0, kCountMax),
                                 {}};
  }
  const Field failures = saved["failures"];
  for (const auto& member : failures.object()) {
    const std::string code(member.key());
    state.failures_[code] = static_cast<int>(failures[code].whole(0, INT32_MAX));
  }
  const Field errors = saved["first_failures"];
  for (std::size_t i = 0; i < errors.size(); ++i)
    state.first_errors_.insert({errors[i]["destination"].text(), errors[i]["date"].text(), errors[i]["code"].text(),
                                errors[i]["text"].text()});
  return state;
}

json::object sweep_fold(const json::object& input) {
  const Field fields(input);
  fields.allow_only({"found", "filters"});
  const Field found = fields["found"];
  const bool filtered = fields["filters"].given();
  const Filters filters = Filters::parse(fields["filters"]);
  SweepState state;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const ItemResult item = ItemResult::parse(found[i]);
    const std::string destination = item.item[0].text();
    const std::string date = item.item[1].text();
    if (!item.succeeded) {
      state.add_failure(destination, date, item.code, item.message);
      continue;
    }
    try {
      state.add_answer(destination, date, item.output, filtered ? &filters : nullptr);
    } catch (const godwit::Failure& failure) {
      state.add_failure(destination, date, failure.code() == "bad_input" ? "bad_offer" : failure.code(),
                        failure.message());
    }
  }
  return state.result(static_cast<std::int64_t>(found.size()));
}

}  // namespace flights
