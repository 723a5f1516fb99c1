#include <algorithm>
#include <set>

#include "timetable/chance.hpp"
#include "timetable/facts.hpp"
#include "unit/timetable/fixture.hpp"

using namespace timetable;
using namespace timetable::test;

TEST_CASE("the built-in tables are large enough, without doubles, and every hub is an airport") {
  const auto airports = built_in_airports();
  const auto airlines = built_in_airlines();
  CHECK(airports.size() >= 180);
  CHECK(airlines.size() >= 40);
  std::set<std::string> codes;
  for (const Airport& airport : airports) {
    INFO(airport.iata);
    CHECK(codes.insert(airport.iata).second);
    CHECK(airport.size >= 1);
    CHECK(airport.size <= 3);
    CHECK(airport.country.size() == 2);
    CHECK(std::abs(airport.latitude) < 90);
    CHECK(std::abs(airport.longitude) <= 180);
  }
  std::set<std::string> airline_codes;
  for (const Airline& airline : airlines) {
    INFO(airline.iata);
    CHECK(airline_codes.insert(airline.iata).second);
    CHECK_FALSE(airline.hubs.empty());
    for (const std::string& hub : airline.hubs) CHECK(codes.contains(hub));
  }
}

TEST_CASE("every built-in airport has a zone the system knows") {
  std::vector<std::string> problems;
  const Model fresh(Catalog::built_in(), ModelOptions{}, problems);
  CHECK(problems.empty());
  CHECK(fresh.catalog().airports().size() == built_in_airports().size());
}

TEST_CASE("the same question gets the same answer from another model, another seed gives another world") {
  std::vector<std::string> problems;
  const Model same(Catalog::built_in(), ModelOptions{}, problems);
  const Model other(Catalog::built_in(), ModelOptions{.seed = 2}, problems);
  int different = 0;
  for (const char* destination : {"JFK", "BCN", "SIN", "KEF", "CPT"}) {
    const json::object args{
        {"origin", "FRA"}, {"destination", destination}, {"depart", "2027-05-14"}, {"return", "2027-05-20"}};
    CHECK(search(args) == search(args, same));
    if (search(args) != search(args, other)) ++different;
  }
  CHECK(different == 5);
}

TEST_CASE("the hash behind the model is the same on every machine") {
  CHECK(Chance(1).mix("route").mix("LH").mix("FRA").mix("JFK").value() ==
        Chance(1).mix("route").mix("LH").mix("FRA").mix("JFK").value());
  CHECK(Chance(1).mix("ab").mix("c").value() != Chance(1).mix("a").mix("bc").value());
  // Fixed numbers: a change here changes every fare people have seen.
  CHECK(Chance(0).value() == 0x6e789e6aa1b965f4u);
  CHECK(Chance(1).mix("LIS").between(0, 999) == 192);
}

TEST_CASE("distances are known and the same both ways") {
  const Catalog catalog = Catalog::built_in();
  const auto airport = [&catalog](const char* code) {
    return catalog.airports()[static_cast<std::size_t>(catalog.find_airport(code))];
  };
  CHECK(std::abs(distance_km(airport("LHR"), airport("JFK")) - 5540) < 15);
  CHECK(std::abs(distance_km(airport("SYD"), airport("LAX")) - 12050) < 30);
  CHECK(std::abs(distance_km(airport("AKL"), airport("PPT")) - 4090) < 30);  // over the date line
  for (const Airport& from : catalog.airports())
    CHECK(distance_km(from, airport("DXB")) == distance_km(airport("DXB"), from));
  CHECK(distance_km(airport("LIS"), airport("LIS")) == 0);
  CHECK(eastward_permille(airport("LIS"), airport("ATH")) > 900);
  CHECK(eastward_permille(airport("ATH"), airport("LIS")) < -900);
  CHECK(eastward_permille(airport("AKL"), airport("PPT")) > 800);  // east, though the longitude falls
}

TEST_CASE("a route is flown in both directions, by the same airlines") {
  const auto airports = static_cast<int>(model().catalog().airports().size());
  std::size_t routes = 0;
  for (int from = 0; from < airports; ++from) {
    for (int to = 0; to < airports; ++to) {
      const auto there = model().network().direct(from, to);
      const auto back = model().network().direct(to, from);
      REQUIRE(std::equal(there.begin(), there.end(), back.begin(), back.end(),
                         [](const Service& a, const Service& b) { return a.airline == b.airline; }));
      routes += there.size();
    }
  }
  CHECK(routes == model().network().services());
}

TEST_CASE("offers are sorted, priced and marked as the contract says") {
  const json::object answer = search(
      {{"origin", "LHR"}, {"destination", "JFK"}, {"depart", "2027-05-14"}, {"return", "2027-05-21"}, {"adults", 3}});
  CHECK(answer.at("provider") == "timetable");
  CHECK(answer.at("modelled") == true);
  CHECK(answer.at("airports").at("JFK").at("city") == "New York");
  const json::array& offers = answer.at("offers").as_array();
  REQUIRE(offers.size() >= 5);
  CHECK(answer.at("found").to_number<std::size_t>() >= offers.size());
  std::int64_t last = 0;
  std::set<std::string> ids;
  for (const json::value& offer : offers) {
    CHECK(offer.at("modelled") == true);
    CHECK(ids.insert(text(offer.at("id"))).second);
    const std::int64_t amount = offer.at("price").at("amount").as_int64();
    CHECK(amount == 3 * offer.at("price_per_adult").at("amount").as_int64());
    CHECK(offer.at("price").at("currency") == "EUR");
    CHECK(amount >= last);
    CHECK(amount / 3 > 150'00);
    CHECK(amount / 3 < 3000'00);
    last = amount;
    for (const char* way : {"outbound", "return"}) {
      const json::value& leg = offer.at(way);
      const json::array& segments = leg.at("segments").as_array();
      CHECK(leg.at("stops").as_int64() == static_cast<std::int64_t>(segments.size()) - 1);
      CHECK(segments.size() <= 2);
      for (const json::value& segment : segments) CHECK(segment.at("airline") == offer.at("airline"));
      CHECK(segments.front().at("departure") == leg.at("departure"));
      CHECK(segments.back().at("arrival") == leg.at("arrival"));
    }
    CHECK(text(offer.at("return").at("departure").at("utc")) > text(offer.at("outbound").at("arrival").at("utc")));
    CHECK(text(offer.at("outbound").at("departure").at("local")).substr(0, 10) == "2027-05-14");
    CHECK(text(offer.at("return").at("departure").at("local")).substr(0, 10) == "2027-05-21");
  }
}

TEST_CASE("connections leave time to change and do not wait for ever") {
  for (const char* origin : {"BER", "OPO", "GLA", "CNX"}) {
    const json::object answer = search({{"origin", origin}, {"destination", "ORD"}, {"depart", "2027-09-08"}});
    for (const json::value& offer : answer.at("offers").as_array()) {
      const json::value& leg = offer.at("outbound");
      if (leg.at("stops") == 0) continue;
      std::int64_t flying = 0;
      for (const json::value& segment : leg.at("segments").as_array()) flying += segment.at("minutes").as_int64();
      const std::int64_t waiting = leg.at("minutes").as_int64() - flying;
      CHECK(waiting >= 75);
      CHECK(waiting <= 600);
      CHECK(leg.at("segments").as_array()[0].at("to") == leg.at("segments").as_array()[1].at("from"));
    }
  }
}

TEST_CASE("excluded airlines, stops and the number of offers are obeyed") {
  json::object args{{"origin", "FRA"}, {"destination", "LIS"}, {"depart", "2027-05-14"}, {"return", "2027-05-17"}};
  const json::object all = search(args);
  const std::string first = text(all.at("offers").as_array().at(0).at("airline"));
  args["excluded_airlines"] = json::array{json::string(first), "ZZ"};
  for (const json::value& offer : offers_of(args)) CHECK(text(offer.at("airline")) != first);
  args["excluded_airlines"] = json::object();  // how an empty Lua table may arrive
  CHECK(search(args) == all);
  args["max_stops"] = 0;
  for (const json::value& offer : offers_of(args)) {
    CHECK(offer.at("outbound").at("stops") == 0);
    CHECK(offer.at("return").at("stops") == 0);
  }
  args["max_stops"] = nullptr;
  args["max_offers"] = 2;
  const json::object two = search(args);
  REQUIRE(two.at("offers").as_array().size() == 2);
  CHECK(two.at("offers").as_array()[0] == all.at("offers").as_array()[0]);
  CHECK(two.at("found") == all.at("found"));
}

TEST_CASE("prices come in the wanted currency, in its minor units") {
  json::object args{{"origin", "LHR"}, {"destination", "HND"}, {"depart", "2027-05-14"}};
  const auto cheapest = [&args](const char* currency) {
    args["currency"] = currency;
    return search(args).at("offers").as_array().at(0).at("price").as_object();
  };
  const json::object euro = cheapest("EUR");
  const json::object yen = cheapest("JPY");
  const json::object dinar = cheapest("KWD");
  CHECK(yen.at("digits") == 0);
  CHECK(dinar.at("digits") == 3);
  CHECK(std::abs(yen.at("amount").as_int64() - euro.at("amount").as_int64() * 165 / 100) <= 1);
  CHECK(std::abs(dinar.at("amount").as_int64() - euro.at("amount").as_int64() * 33 / 10) <= 1);
}

TEST_CASE("late booking costs more, and the clock has no part in it") {
  json::object args{{"origin", "MAD"}, {"destination", "BCN"}, {"depart", "2027-05-12"}};
  const auto price = [&args] { return search(args).at("offers").as_array().at(0).at("price").at("amount").as_int64(); };
  const std::int64_t usual = price();
  args["as_of"] = "2027-03-28";  // 45 days before
  CHECK(price() == usual);
  args["as_of"] = "2027-05-10";
  CHECK(price() > usual * 3 / 2);
  args["as_of"] = "2027-06-01";  // later than the flight counts as the same day
  CHECK(price() > usual * 3 / 2);
}

TEST_CASE("wrong questions are refused with the contract's codes") {
  const json::object good{{"origin", "LIS"}, {"destination", "FRA"}, {"depart", "2027-05-14"}};
  const auto with = [&good](const char* key, json::value value) {
    json::object args = good;
    args[key] = std::move(value);
    return refused(args);
  };
  CHECK(refused(good).empty());
  CHECK(with("origin", "XQX") == "unknown_airport");
  CHECK(with("destination", "lis") == "unknown_airport");
  CHECK(with("destination", "LIS") == "same_airport");
  CHECK(with("return", "2027-05-13") == "return_before_departure");
  CHECK(with("return", "2027-05-14").empty());
  CHECK(with("depart", "2027-02-29") == "bad_date");
  CHECK(with("depart", "14.05.2027") == "bad_date");
  CHECK(with("depart", "1999-01-01") == "bad_date");
  CHECK(with("depart", 20270514) == "bad_request");
  CHECK(with("depart", nullptr) == "bad_request");
  CHECK(with("adults", 0) == "bad_request");
  CHECK(with("adults", 1.5) == "bad_request");
  CHECK(with("adults", "2") == "bad_request");
  CHECK(with("currency", "XXX") == "bad_request");
  CHECK(with("excluded_airlines", "LH") == "bad_request");
  CHECK(with("excluded_airlines", json::array{1}) == "bad_request");
  CHECK(with("max_offers", 1e300) == "bad_request");
  CHECK(with("retrun", "2027-05-20") == "bad_request");
  CHECK_THROWS_WITH(model().search({{"origin", "XQX"}, {"destination", "FRA"}, {"depart", "2027-05-14"}}),
                    Catch::StartsWith("origin: there is no airport 'XQX'"));
}

TEST_CASE("most searches between large airports find several offers") {
  int searches = 0;
  int empty = 0;
  for (const char* from : {"LHR", "FRA", "JFK", "DXB", "SIN", "HND", "GRU", "JNB", "SYD", "MEX"}) {
    for (const char* to : {"LIS", "BCN", "VIE", "BOS", "BOM", "BKK", "BOG", "CAI", "LAX", "ICN"}) {
      ++searches;
      if (search({{"origin", from}, {"destination", to}, {"depart", "2027-05-14"}}).at("offers").as_array().size() < 2)
        ++empty;
    }
  }
  CHECK(empty * 10 <= searches);
}
