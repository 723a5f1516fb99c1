#include <fstream>
#include <sstream>

#include "flights/group.hpp"
#include "timetable/model.hpp"
#include "unit/flights/fixture.hpp"

using namespace flights;
using namespace flights::test;

// What scripts/flights/flock.yaml does, without the daemon: the example must stay worth showing.
TEST_CASE("the example group finds places to meet, and one that somebody cannot reach") {
  std::ifstream file(GODWIT_SOURCE_DIR "/scripts/flights/flock.params.json");
  std::stringstream text;
  text << file.rdbuf();
  const json::value params = json::parse(text.str());
  std::vector<std::string> problems;
  const timetable::Model model(timetable::Catalog::built_in(), {}, problems);
  json::array found;
  for (const json::value& who : params.at("travelers").as_array()) {
    for (const json::value& destination : params.at("destinations").as_array()) {
      json::object entry = answered(json::array{who, destination}, {});
      entry["output"] = model.search({{"origin", who.at("origin_airport")},
                                      {"destination", destination},
                                      {"depart", params.at("outbound_date")},
                                      {"return", params.at("return_date")}});
      found.push_back(std::move(entry));
    }
  }
  const json::object result = rank_group({{"found", found},
                                          {"travelers", params.at("travelers")},
                                          {"destinations", params.at("destinations")},
                                          {"default_filters", params.at("default_filters")}});
  const json::array& places = result.at("destinations").as_array();
  CHECK(places.size() >= 4);
  CHECK(result.at("left_out").as_array().size() == 1);
  std::int64_t last = 0;
  for (const json::value& place : places) {
    CHECK(place.at("city") != place.at("destination"));
    CHECK(place.at("flights").as_array().size() == 3);
    std::int64_t sum = 0;
    for (const json::value& flight : place.at("flights").as_array()) {
      sum += flight.at("price").at("amount").as_int64();
      CHECK(flight.at("modelled") == true);
    }
    CHECK(sum == place.at("total").at("amount").as_int64());
    CHECK(sum >= last);
    last = sum;
  }
}
