#include "flights/selection.hpp"
#include "unit/flights/fixture.hpp"

using namespace flights;
using namespace flights::test;

namespace {

std::vector<std::string> reasons(const json::object& filters, const OfferSpec& spec) {
  const json::object input{{"filters", filters}, {"offer", offer(spec)}};
  const Field fields(input);
  return Filters::parse(fields["filters"]).reasons_against(Offer::parse(fields["offer"]));
}

json::object window(const char* earliest, const char* latest) {
  return {{"earliest", earliest}, {"latest", latest}};
}

}  // namespace

TEST_CASE("without filters everything passes") {
  CHECK(reasons({}, {.stops = 2, .round_trip = true}).empty());
  const json::object nothing;
  CHECK_FALSE(Filters::parse(Field(nothing)["filters"]).max_stops);
}

TEST_CASE("each filter says why an offer falls out, and all of them speak") {
  using Reasons = std::vector<std::string>;
  CHECK(reasons({{"non_stop_only", true}}, {.stops = 1}) == Reasons{"too_many_stops"});
  CHECK(reasons({{"non_stop_only", false}}, {.stops = 1}).empty());
  CHECK(reasons({{"max_stops", 1}}, {.stops = 1}).empty());
  CHECK(reasons({{"max_stops", 3}, {"non_stop_only", true}}, {.stops = 1}) == Reasons{"too_many_stops"});
  CHECK(reasons({{"excluded_airlines", json::array{"FR", "LH"}}}, {}) == Reasons{"excluded_airline"});
  CHECK(reasons({{"excluded_airlines", json::object()}}, {}).empty());
  CHECK(reasons({{"outbound_departure", window("10:00", "12:00")}, {"outbound_arrival", window("00:00", "11:29")}},
                {}) == Reasons{"outbound_departure", "outbound_arrival"});
  CHECK(reasons({{"return_departure", window("19:00", "20:00")}, {"return_arrival", window("20:11", "22:00")}},
                {.round_trip = true}) == Reasons{"return_departure", "return_arrival"});
  CHECK(reasons({{"return_departure", window("19:00", "20:00")}}, {}).empty());
  const json::object ceiling{{"amount", 9999}, {"currency", "EUR"}};
  CHECK(reasons({{"price_ceiling", ceiling}}, {}) == Reasons{"too_expensive"});
  CHECK(reasons({{"price_ceiling", ceiling}}, {.amount = 9999}).empty());
  CHECK(reasons({{"price_ceiling", ceiling}}, {.amount = 1, .currency = "USD"}) ==
        Reasons{"other_currency_than_ceiling"});
}

TEST_CASE("both ends of a window are in it, and one that ends before it begins goes over midnight") {
  const Window day{9 * 60, 17 * 60};
  CHECK(day.contains(9 * 60));
  CHECK(day.contains(17 * 60));
  CHECK_FALSE(day.contains(9 * 60 - 1));
  CHECK_FALSE(day.contains(17 * 60 + 1));
  const Window night{22 * 60, 2 * 60};
  CHECK(night.contains(22 * 60));
  CHECK(night.contains(0));
  CHECK(night.contains(2 * 60));
  CHECK_FALSE(night.contains(2 * 60 + 1));
  CHECK_FALSE(night.contains(12 * 60));
  const Window minute{600, 600};
  CHECK(minute.contains(600));
  CHECK_FALSE(minute.contains(601));
}

TEST_CASE("wrong filters are refused with their path") {
  const auto said = [](json::object filters) {
    return complaint([&] { filter_offers({{"offers", json::array()}, {"filters", std::move(filters)}}); });
  };
  CHECK(said({{"max_stops", -1}}) == "bad_input: filters.max_stops: must be a whole number from 0 to 9");
  CHECK(said({{"max_stops", "1"}}) == "bad_input: filters.max_stops: must be a whole number from 0 to 9");
  CHECK(said({{"max_stops", 1.5}}) == "bad_input: filters.max_stops: must be a whole number from 0 to 9");
  CHECK(said({{"non_stop_only", "yes"}}) == "bad_input: filters.non_stop_only: must be true or false");
  CHECK(said({{"excluded_airlines", json::array{"LH", "Ryanair"}}})
            .find("bad_input: filters.excluded_airlines[1]: 'Ryanair'") == 0);
  CHECK(said({{"outbound_departure", json::object{{"earliest", "06:00"}}}}) ==
        "bad_input: filters.outbound_departure.latest: is missing; a window needs both ends, earliest and latest");
  for (const char* bad : {"6:00", "24:00", "12:60", "12.00", "noon", "", "12:000"})
    CHECK(said({{"return_arrival", window("06:00", bad)}}).find("bad_input: filters.return_arrival.latest: '") == 0);
  CHECK(said({{"maximum_stops", 1}})
            .find("bad_input: filters.maximum_stops: there is no such field; known are non_stop_only") == 0);
  CHECK(said({{"price_ceiling", 100}}) == "bad_input: filters.price_ceiling: must be an object");
  CHECK(complaint([] { filter_offers({{"filters", json::object()}}); }) == "bad_input: offers: is missing");
  CHECK(complaint([] { filter_offers({{"offers", json::array{1}}}); }) == "bad_input: offers[0]: must be an object");
}

TEST_CASE("a traveler's own filters go before the defaults, key by key") {
  const json::object input{{"own", json::object{{"max_stops", 2}, {"non_stop_only", nullptr}}},
                           {"defaults", json::object{{"max_stops", 0}, {"excluded_airlines", json::array{"FR"}}}}};
  const Field fields(input);
  const Filters filters = Filters::parse(fields["own"], fields["defaults"]);
  CHECK(filters.max_stops == 2);
  CHECK(filters.excluded_airlines.contains("FR"));
  CHECK(Filters::parse(fields["nobody"], fields["defaults"]).max_stops == 0);
}

TEST_CASE("filter keeps offers as they came and tells about the others") {
  const json::object result =
      filter_offers({{"offers", json::array{offer({.id = "a", .stops = 1}), offer({.id = "b"}), nullptr,
                                            offer({.id = "c", .amount = 1, .stops = 2})}},
                     {"filters", json::object{{"non_stop_only", true}}}});
  CHECK(result.at("offers") == json::array{offer({.id = "b"})});
  CHECK(result.at("kept") == 1);
  CHECK(result.at("dropped") == 2);
  CHECK(result.at("reasons") == json::object{{"too_many_stops", 2}});
  CHECK(result.at("dropped_offers").at(1).at("id") == "c");
}

TEST_CASE("the cheapest offer that passes is chosen, ties by earlier departure and id") {
  const json::object result =
      cheapest_offers({{"offers", json::array{offer({.id = "d"}), offer({.id = "b", .departure = "2027-05-14T08:00"}),
                                              offer({.id = "a", .departure = "2027-05-14T08:00"}),
                                              offer({.id = "x", .amount = 1, .stops = 1})}},
                       {"filters", json::object{{"max_stops", 0}}}});
  CHECK(result.at("offer").at("id") == "a");
  CHECK(result.at("offer").at("price").at("text") == "100.00 EUR");
  CHECK(result.at("offer").at("outbound").at("flight_numbers") == json::array{"LH100"});
  CHECK(cheapest_offers({{"offers", json::array()}}).at("found") == false);
  CHECK(complaint([] {
          cheapest_offers({{"offers", json::array{offer({}), offer({.currency = "USD"})}}});
        }).find("mixed_currencies: ") == 0);
}

TEST_CASE("of a list of searches each pair gets its cheapest offer or its error") {
  const json::object result =
      cheapest_offers({{"found", json::array{answered("a", {offer({})}), failed("b", "upstream"),
                                             answered("c", {offer({}), offer({.currency = "USD"})}),
                                             answered("d", {json::object()})}}});
  const json::array& pairs = result.at("pairs").as_array();
  CHECK(pairs[0].at("found") == true);
  CHECK(pairs[1].at("error").at("code") == "upstream");
  CHECK(pairs[2].at("error").at("code") == "mixed_currencies");
  CHECK(pairs[3].at("error").at("code") == "bad_input");
}
