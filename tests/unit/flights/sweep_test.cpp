#include <algorithm>
#include <map>
#include <random>

#include "flights/sweep.hpp"
#include "unit/flights/fixture.hpp"

using namespace flights;
using namespace flights::test;

namespace {

// Thrown where a test cuts a sweep off, as a kill would.
struct Cut {};

// A world that remembers checkpoints, answers from the arguments, and can be cut off before the n-th thing it is asked
// to do.
class TestWorld : public SweepWorld {
 public:
  json::value search(const std::string&, const json::object& args, const std::string& key) override {
    act();
    ++searches[key];
    const std::string destination(args.at("destination").as_string());
    const std::string date(args.at("depart").as_string());
    const int number = (destination[0] * 31 + destination[1] * 7 + (date[9] - '0') * 13) % 50;
    if (number % 6 == 1) godwit::fail("unknown_airport", "none such");
    if (number % 4 == 0 && searches[key] == 1 && key.find('#') == std::string::npos)
      godwit::retry("upstream", "not now", std::chrono::milliseconds(70'000));
    if (number % 5 == 0) return json::object{{"offers", json::array()}, {"found", 0}};
    return json::object{{"offers", json::array{offer({.id = destination + date,
                                                      .amount = 5000 + number,
                                                      .currency = destination == "USA" ? "USD" : "EUR"})}},
                        {"found", number},
                        {"airports", json::object{{destination, json::object{{"city", "City of " + destination}}}}}};
  }
  void save(const std::string& key, const json::value& value) override {
    act();
    // Through text, as a database would have it.
    saved[key] = json::parse(json::serialize(value));
  }
  std::optional<json::value> load(const std::string& key) override {
    const auto found = saved.find(key);
    return found == saved.end() ? std::nullopt : std::optional(found->second);
  }
  void progress(std::int64_t done, std::int64_t total, const json::object& fields) override {
    progresses.push_back(done);
    CHECK(done <= total);
    CHECK(fields.contains("best_price"));
  }
  void wait(std::chrono::milliseconds time) override { waits.push_back(time); }

  int acts = 0;
  int cut_at = -1;
  std::map<std::string, int> searches;
  std::map<std::string, json::value> saved;
  std::vector<std::int64_t> progresses;
  std::vector<std::chrono::milliseconds> waits;

 private:
  void act() {
    if (acts++ == cut_at) throw Cut{};
  }
};

const json::object kInput{{"origin", "BER"},
                          {"destinations", json::array{"LIS", "USA", "BCN", "OSL"}},
                          {"dates", json::array{"2027-05-01", "2027-05-02", "2027-05-03", "2027-05-04", "2027-05-05"}}};

json::object whole() {
  TestWorld world;
  return Sweep(kInput, world).run();
}

}  // namespace

TEST_CASE("a sweep counts what it found and keeps the best prices") {
  TestWorld world;
  const json::object result = Sweep(kInput, world).run();
  CHECK(result.at("total_tasks") == 20);
  CHECK(result.at("completed_tasks") == 20);
  CHECK(result.at("failed_tasks").as_int64() > 0);
  CHECK(result.at("found_flights").as_int64() > 0);
  CHECK(result.at("best_price").is_null());  // EUR and USD cannot be compared
  CHECK(result.at("best_by_currency").as_array().size() == 2);
  CHECK(result.at("failures").as_object().contains("unknown_airport"));
  CHECK(world.progresses.size() == 20);
  CHECK(world.progresses.back() == 20);
  CHECK(world.saved.at("sweep").at("index") == 20);
  CHECK_FALSE(world.waits.empty());
  for (const std::chrono::milliseconds wait : world.waits) CHECK(wait == std::chrono::milliseconds(70'000));
}

TEST_CASE(
    "a sweep that is cut off anywhere ends as if nothing had happened, and asks again for the search it was at only") {
  const json::object undisturbed = whole();
  TestWorld measure;
  Sweep(kInput, measure).run();
  for (int cut = 0; cut < measure.acts; ++cut) {
    INFO("cut before act " << cut);
    TestWorld world;
    world.cut_at = cut;
    CHECK_THROWS_AS(Sweep(kInput, world).run(), Cut);
    const auto before = world.searches;
    const std::int64_t index = world.saved.contains("sweep") ? world.saved.at("sweep").at("index").as_int64() : 0;
    world.cut_at = -1;
    world.searches.clear();
    CHECK(Sweep(kInput, world).run() == undisturbed);
    int repeated = 0;
    for (const auto& [key, count] : world.searches) {
      if (key.find('#') == std::string::npos && before.contains(key)) ++repeated;
    }
    CHECK(repeated <= 1);
    CHECK(world.progresses.size() >= static_cast<std::size_t>(20 - index));
  }
}

TEST_CASE("cut off again and again a sweep still ends") {
  TestWorld world;
  json::object result;
  int lives = 0;
  while (result.empty() && lives < 200) {
    world.cut_at = world.acts + 6;
    ++lives;
    try {
      result = Sweep(kInput, world).run();
    } catch (const Cut&) {
    }
  }
  CHECK(lives > 3);
  CHECK(result == whole());
}

TEST_CASE("what godwit itself cannot do ends the sweep instead of counting failures") {
  class Nowhere : public TestWorld {
    json::value search(const std::string&, const json::object&, const std::string&) override {
      godwit::fail("host", "invoke(): not possible here");
    }
  } world;
  CHECK(complaint([&] { Sweep(kInput, world).run(); }) == "host: invoke(): not possible here");
}

TEST_CASE("wrong sweeps are refused with the path") {
  TestWorld world;
  const auto said = [&world](const char* key, json::value value) {
    json::object input = kInput;
    input[key] = std::move(value);
    return complaint([&] { Sweep(input, world); });
  };
  CHECK(said("destinations", json::array{"LIS", "LIS"}) == "bad_input: destinations[1]: LIS is in the list twice");
  CHECK(said("dates", json::array()) == "bad_input: dates: must not be empty");
  CHECK(said("origin", "Berlin").find("bad_input: origin: 'Berlin'") == 0);
  CHECK(said("attempts", 0) == "bad_input: attempts: must be a whole number from 1 to 100");
  CHECK(said("search", json::object{{"origin", "LIS"}}).find("bad_input: search.origin: there is no such field") == 0);
}

TEST_CASE("the fold of many searches does not depend on their order") {
  TestWorld world;
  json::array items;
  for (const json::value& destination : kInput.at("destinations").as_array()) {
    for (const json::value& date : kInput.at("dates").as_array()) {
      const json::array item{destination, date};
      try {
        json::object entry = answered(item, {});
        entry["output"] = world.search("", {{"destination", destination}, {"depart", date}},
                                       std::string(destination.as_string()) + "/" + std::string(date.as_string()));
        items.push_back(std::move(entry));
      } catch (const godwit::Failure& failure) {
        items.push_back(failed(item, failure.code().c_str()));
      }
    }
  }
  const json::object first = sweep_fold({{"found", items}});
  CHECK(first.at("total_tasks") == 20);
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 20; ++i) {
    std::vector<json::value> shuffled(items.begin(), items.end());
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    CHECK(sweep_fold({{"found", json::array(shuffled.begin(), shuffled.end())}}) == first);
  }
}

TEST_CASE("the fold names best price, day and city, counts offers that were cut off, and lists the cheapest days") {
  json::object cut = answered(json::array{"LIS", "2027-05-02"}, {offer({.id = "a", .amount = 900}), nullptr});
  cut["output"].as_object()["found"] = 12;
  cut["output"].as_object()["airports"] = json::object{{"LIS", json::object{{"city", "Lisbon"}}}};
  const json::array found{cut,
                          answered(json::array{"LIS", "2027-05-01"}, {offer({.id = "b", .amount = 1000, .stops = 1})}),
                          answered(json::array{"OSL", "2027-05-01"}, {offer({.id = "c", .amount = 950})}),
                          answered(json::array{"OSL", "2027-05-02"}, {}),
                          answered(json::array{"OSL", "2027-05-03"}, {json::object{{"id", 1}}})};
  const json::object result = sweep_fold({{"found", found}});
  CHECK(result.at("found_flights") == 14);
  CHECK(result.at("best_price").at("text") == "9.00 EUR");
  CHECK(result.at("best").at("date") == "2027-05-02");
  CHECK(result.at("destinations").at(0).at("city") == "Lisbon");
  CHECK(result.at("destinations").at(0).at("best_date") == "2027-05-02");
  CHECK(result.at("destinations").at(1).at("destination") == "OSL");
  CHECK(result.at("cheapest_days").at(1).at("destination") == "OSL");
  CHECK(result.at("calendar").at(0).at("prices") == json::object{{"2027-05-01", 1000}, {"2027-05-02", 900}});
  CHECK(result.at("failures") == json::object{{"bad_offer", 1}});
  CHECK(result.at("first_failures").at(0).at("date") == "2027-05-03");
  const json::object filtered = sweep_fold({{"found", found}, {"filters", json::object{{"max_stops", 0}}}});
  CHECK(filtered.at("found_flights") == 2);
}
