#include "flights/group.hpp"
#include "flights/money.hpp"
#include "unit/flights/fixture.hpp"

using namespace flights;
using namespace flights::test;

namespace {

json::object traveler(const char* name, const char* origin) {
  return {{"name", name}, {"origin_airport", origin}};
}

std::vector<Money> euros(std::initializer_list<std::int64_t> amounts) {
  std::vector<Money> prices;
  for (const std::int64_t amount : amounts) prices.push_back({amount, "EUR", 2});
  return prices;
}

const json::array kTravelers{traveler("Ana", "LIS"), traveler("Bram", "AMS")};
const json::array kDestinations{"BCN", "PRG"};

json::array pair(std::size_t who, const char* destination) {
  return {kTravelers[who], destination};
}

json::object rank(json::array found) {
  return rank_group({{"found", std::move(found)}, {"travelers", kTravelers}, {"destinations", kDestinations}});
}

}  // namespace

TEST_CASE("sums are exact, averages and even medians round halves to the even unit") {
  const PriceStatistics odd = PriceStatistics::of(euros({30001, 10000, 20000}));
  CHECK(odd.total.amount == 60001);
  CHECK(odd.average.amount == 20000);
  CHECK(odd.median.amount == 20000);
  CHECK(odd.cheapest == 1);
  CHECK(odd.most_expensive == 0);
  const PriceStatistics even = PriceStatistics::of(euros({4, 1, 2, 3}));
  CHECK(even.median.amount == 2);                                // 2.5
  CHECK(even.average.amount == 2);                               // 2.5
  CHECK(PriceStatistics::of(euros({3, 4})).median.amount == 4);  // 3.5
  CHECK(PriceStatistics::of(euros({7})).median.amount == 7);
  CHECK(divide_half_even(10, 4) == 2);
  CHECK(divide_half_even(14, 4) == 4);
  CHECK(divide_half_even(11, 4) == 3);
  CHECK(divide_half_even(0, 3) == 0);
  CHECK(PriceStatistics::of(euros({5, 5})).most_expensive == 0);
  CHECK_THROWS_AS(PriceStatistics::of({{1, "EUR", 2}, {1, "USD", 2}}), std::logic_error);
}

TEST_CASE("money is written with its decimals") {
  CHECK(Money{14230, "EUR", 2}.text() == "142.30 EUR");
  CHECK(Money{5, "EUR", 2}.text() == "0.05 EUR");
  CHECK(Money{0, "JPY", 0}.text() == "0 JPY");
  CHECK(Money{1234, "KWD", 3}.text() == "1.234 KWD");
}

TEST_CASE("destinations that everybody can fly to are ranked by their total") {
  const json::object result =
      rank({answered(pair(0, "BCN"), {offer({.amount = 20000})}),
            answered(pair(0, "PRG"), {offer({.amount = 9000}), offer({.amount = 8000})}),
            answered(pair(1, "BCN"), {offer({.amount = 5000})}), answered(pair(1, "PRG"), {offer({.amount = 7001})})});
  const json::array& places = result.at("destinations").as_array();
  REQUIRE(places.size() == 2);
  CHECK(places[0].at("destination") == "PRG");
  CHECK(places[0].at("city") == "PRG");  // no answer named it
  CHECK(places[0].at("total").at("text") == "150.01 EUR");
  CHECK(places[0].at("average").at("amount") == 7500);
  CHECK(places[0].at("cheapest").at("traveler") == "Bram");
  CHECK(places[0].at("most_expensive").at("price").at("amount") == 8000);
  CHECK(places[0].at("flights").at(0).at("traveler") == "Ana");
  CHECK(places[0].at("flights").at(0).at("outbound").at("minutes") == 130);
  CHECK(places[1].at("total").at("amount") == 25000);
  CHECK(result.at("left_out").as_array().empty());
}

TEST_CASE("a destination that somebody cannot fly to is left out with the reason") {
  json::array travelers = kTravelers;
  travelers[1].as_object()["filters"] = json::object{{"non_stop_only", true}};
  json::object named = answered(json::array{travelers[0], "PRG"}, {offer({})});
  named["output"].as_object()["airports"] = json::object{{"PRG", json::object{{"city", "Prague"}}}};
  const json::object result = rank_group(
      {{"found",
        json::array{failed(json::array{travelers[0], "BCN"}, "unknown_airport"), named,
                    answered(json::array{travelers[1], "BCN"}, {}),
                    answered(json::array{travelers[1], "PRG"}, {offer({.stops = 1}), offer({.id = "x", .stops = 2})})}},
       {"travelers", travelers},
       {"destinations", json::array{"BCN", "PRG", "VIE"}}});
  CHECK(result.at("destinations").as_array().empty());
  const json::array& out = result.at("left_out").as_array();
  REQUIRE(out.size() == 3);
  CHECK(out[0].at("reasons").at(0) ==
        json::object{
            {"traveler", "Ana"}, {"origin_airport", "LIS"}, {"code", "unknown_airport"}, {"text", "it did not work"}});
  CHECK(out[0].at("reasons").at(1).at("code") == "no_flight");
  CHECK(out[1].at("city") == "Prague");
  REQUIRE(out[1].at("reasons").as_array().size() == 1);
  CHECK(out[1].at("reasons").at(0).at("text") == "none of 2 offers passes the filters: 2 too_many_stops");
  CHECK(out[2].at("reasons").at(1).at("code") == "not_searched");
}

TEST_CASE("prices of several currencies are never added") {
  const json::object result = rank({answered(pair(0, "BCN"), {offer({.amount = 100})}),
                                    answered(pair(1, "BCN"), {offer({.amount = 200, .currency = "USD"})}),
                                    answered(pair(0, "PRG"), {offer({.amount = 90000})}),
                                    answered(pair(1, "PRG"), {offer({.amount = 90000})})});
  const json::array& places = result.at("destinations").as_array();
  REQUIRE(places.size() == 2);
  CHECK(places[0].at("destination") == "PRG");
  const json::object& mixed = places[1].as_object();
  CHECK(mixed.at("mixed_currencies") == true);
  CHECK_FALSE(mixed.contains("total"));
  CHECK(mixed.at("by_currency").at(0).at("total").at("text") == "1.00 EUR");
  CHECK(mixed.at("by_currency").at(1).at("total").at("text") == "2.00 USD");
  CHECK(mixed.at("by_currency").at(1).at("cheapest").at("traveler") == "Bram");
}

TEST_CASE("an answer that makes no sense costs its own pair only") {
  json::object broken = offer({});
  broken["price"] = "cheap";
  const json::object result = rank({answered(pair(0, "BCN"), {broken}), answered(pair(1, "BCN"), {offer({})}),
                                    answered(pair(0, "PRG"), {offer({})}), answered(pair(1, "PRG"), {offer({})})});
  CHECK(result.at("destinations").as_array().size() == 1);
  CHECK(result.at("left_out").at(0).at("reasons").at(0).at("code") == "bad_offer");
}

TEST_CASE("a group's price ceiling holds for each flight") {
  const json::object result = rank_group({{"found", json::array{answered(pair(0, "BCN"), {offer({.amount = 100})}),
                                                                answered(pair(1, "BCN"), {offer({.amount = 101})})}},
                                          {"travelers", kTravelers},
                                          {"destinations", json::array{"BCN"}},
                                          {"price_ceiling", json::object{{"amount", 100}, {"currency", "EUR"}}}});
  CHECK(result.at("left_out").at(0).at("reasons").at(0).at("text") ==
        "none of 1 offers passes the filters: 1 too_expensive");
}

TEST_CASE("two travelers who are equal in everything each get a flight") {
  const json::array twins{traveler("Ana", "LIS"), traveler("Ana", "LIS")};
  const json::array item{twins[0], "BCN"};
  const json::object input{
      {"found", json::array{answered(item, {offer({.amount = 1})}), answered(item, {offer({.amount = 2})})}},
      {"travelers", twins},
      {"destinations", json::array{"BCN"}}};
  CHECK(rank_group(input).at("destinations").at(0).at("total").at("amount") == 3);
  json::object thrice = input;
  thrice["found"].as_array().push_back(answered(item, {}));
  CHECK(complaint([&] { rank_group(thrice); }).find("bad_input: found[2].item[0]: there are more searches") == 0);
}

TEST_CASE("wrong groups are refused with the path") {
  const auto said = [](json::value travelers, json::value destinations, json::array found = {}) {
    return complaint([&] { rank_group({{"found", found}, {"travelers", travelers}, {"destinations", destinations}}); });
  };
  json::array wrong = kTravelers;
  wrong[1].as_object()["filters"] = json::object{{"max_stops", -1}};
  CHECK(said(wrong, kDestinations) == "bad_input: travelers[1].filters.max_stops: must be a whole number from 0 to 9");
  wrong[1].as_object()["filters"] = json::object{{"outbound_departure", json::object{{"latest", "10:00"}}}};
  CHECK(said(wrong, kDestinations).find("bad_input: travelers[1].filters.outbound_departure.earliest: is missing") ==
        0);
  CHECK(said(json::array(), kDestinations) == "bad_input: travelers: must name at least one traveler");
  CHECK(said(kTravelers, json::array()) == "bad_input: destinations: must name at least one airport");
  CHECK(said(kTravelers, json::array{"BCN", "BCN"}) == "bad_input: destinations[1]: BCN is in the list twice");
  CHECK(said(kTravelers, json::array{"bcn"}).find("bad_input: destinations[0]: 'bcn' is no IATA airport code") == 0);
  CHECK(said(json::array{json::object{{"name", "Ana"}}}, kDestinations) ==
        "bad_input: travelers[0].origin_airport: is missing");
  CHECK(said(kTravelers, kDestinations, {answered(json::array{traveler("Zoe", "LIS"), "BCN"}, {})}) ==
        "bad_input: found[0].item[0]: 'Zoe' from LIS is not among the travelers");
  CHECK(said(kTravelers, kDestinations, {answered(pair(0, "VIE"), {})}) ==
        "bad_input: found[0].item[1]: 'VIE' is not among the destinations");
  CHECK(said(kTravelers, kDestinations, {answered(pair(0, "BCN"), {}), answered(pair(0, "BCN"), {})}) ==
        "bad_input: found[1].item: this pair was searched twice");
  CHECK(said(kTravelers, kDestinations, {json::object{{"item", pair(0, "BCN")}, {"state", "odd"}}})
            .find("bad_input: found[0].state: 'odd'") == 0);
}
