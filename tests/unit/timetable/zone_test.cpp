#include "timetable/zone.hpp"
#include "timetable/day.hpp"
#include "unit/timetable/fixture.hpp"

using namespace timetable;
using namespace timetable::test;

namespace {

std::int64_t minutes(const char* day, int hour, int minute) {
  return static_cast<std::int64_t>(Day::parse(day)->number) * 1440 + hour * 60 + minute;
}

// Every leg of some searches, with the offers' own claims recomputed from `local` and `utc_offset`.
void check_moment(const json::value& moment) {
  const std::string local = text(moment.at("local"));
  const std::string utc = text(moment.at("utc"));
  const std::string offset = text(moment.at("utc_offset"));
  REQUIRE(local.size() == 16);
  REQUIRE(utc.size() == 20);
  REQUIRE(offset.size() == 6);
  const auto at = [](const std::string& t) {
    return minutes(t.substr(0, 10).c_str(), std::stoi(t.substr(11, 2)), std::stoi(t.substr(14, 2)));
  };
  const int size = std::stoi(offset.substr(1, 2)) * 60 + std::stoi(offset.substr(4, 2));
  CHECK(at(local) - at(utc) == (offset[0] == '-' ? -size : size));
}

}  // namespace

TEST_CASE("days are read strictly and written back") {
  CHECK(Day::parse("2028-02-29")->text() == "2028-02-29");
  CHECK(Day::parse("2026-11-22")->weekday() == 6);
  CHECK(Day::parse("2027-05-14")->month() == 5);
  for (const char* bad : {"", "2027-5-14", "2027-02-29", "2027-13-01", "2027-00-10", "2027-01-32", "20270514",
                          "2027-05-14T", " 2027-05-1", "+027-05-14", "2027-05--1", "2038-01-01"})
    CHECK_FALSE(Day::parse(bad));
}

TEST_CASE("a clock time skipped in spring is read an hour later, one that comes twice is the first") {
  Zones zones;
  const Zone* berlin = zones.find("Europe/Berlin");
  REQUIRE(berlin != nullptr);
  // 2027-03-28: 02:00 becomes 03:00.
  CHECK(berlin->to_utc(minutes("2027-03-28", 1, 59)) == minutes("2027-03-28", 0, 59));
  CHECK(berlin->to_utc(minutes("2027-03-28", 2, 30)) == minutes("2027-03-28", 1, 30));
  CHECK(berlin->to_local(minutes("2027-03-28", 1, 30)) == minutes("2027-03-28", 3, 30));
  CHECK(berlin->to_utc(minutes("2027-03-28", 3, 0)) == minutes("2027-03-28", 1, 0));
  // 2027-10-31: 03:00 becomes 02:00.
  CHECK(berlin->to_utc(minutes("2027-10-31", 2, 30)) == minutes("2027-10-31", 0, 30));
  CHECK(berlin->offset_minutes(minutes("2027-10-31", 0, 59)) == 120);
  CHECK(berlin->offset_minutes(minutes("2027-10-31", 1, 0)) == 60);
  CHECK(zones.find("Europe/Atlantis") == nullptr);
  CHECK(zones.find("") == nullptr);
  CHECK(zones.find("../../etc/passwd") == nullptr);
}

TEST_CASE("offsets of half and quarter hours are right") {
  Zones zones;
  CHECK(zones.find("Asia/Kathmandu")->offset_minutes(minutes("2027-05-14", 0, 0)) == 345);
  CHECK(zones.find("Asia/Kolkata")->offset_minutes(minutes("2027-05-14", 0, 0)) == 330);
  CHECK(zones.find("America/St_Johns")->offset_minutes(minutes("2027-01-14", 0, 0)) == -210);
  CHECK(zones.find("Pacific/Apia")->offset_minutes(minutes("2027-01-14", 0, 0)) == 780);
}

TEST_CASE("local times, offsets and UTC of every offer agree, over zones, the date line and changes of the clock") {
  const char* pairs[][3] = {{"SYD", "LAX", "2027-05-14"}, {"LAX", "SYD", "2027-05-14"}, {"AKL", "HNL", "2027-05-14"},
                            {"HND", "SEA", "2027-05-14"}, {"DEL", "KTM", "2027-05-14"}, {"LHR", "JFK", "2027-03-28"},
                            {"JFK", "LHR", "2027-11-06"}, {"FRA", "BKK", "2027-10-30"}, {"YYZ", "YYT", "2027-05-14"},
                            {"MAD", "LPA", "2027-03-27"}, {"GRU", "LIS", "2027-12-31"}, {"NAN", "LAX", "2027-07-01"}};
  int legs = 0;
  for (const auto& pair : pairs) {
    const json::object answer = search({{"origin", pair[0]}, {"destination", pair[1]}, {"depart", pair[2]}});
    for (const json::value& offer : answer.at("offers").as_array()) {
      const json::value& leg = offer.at("outbound");
      INFO(pair[0] << " to " << pair[1] << ": " << json::serialize(leg));
      ++legs;
      std::string before;
      for (const json::value& segment : leg.at("segments").as_array()) {
        check_moment(segment.at("departure"));
        check_moment(segment.at("arrival"));
        CHECK(text(segment.at("departure").at("utc")) > before);
        before = text(segment.at("arrival").at("utc"));
      }
      const auto at = [](const std::string& t) {
        return minutes(t.substr(0, 10).c_str(), std::stoi(t.substr(11, 2)), std::stoi(t.substr(14, 2)));
      };
      CHECK(at(text(leg.at("arrival").at("utc"))) - at(text(leg.at("departure").at("utc"))) ==
            leg.at("minutes").as_int64());
    }
  }
  CHECK(legs >= 20);
}

TEST_CASE("a flight over the date line to the east arrives before it left, by the clock") {
  const json::object answer =
      search({{"origin", "SYD"}, {"destination", "LAX"}, {"depart", "2027-05-14"}, {"max_stops", 0}});
  REQUIRE_FALSE(answer.at("offers").as_array().empty());
  for (const json::value& offer : answer.at("offers").as_array())
    CHECK(text(offer.at("outbound").at("arrival").at("local")) <
          text(offer.at("outbound").at("departure").at("local")));
}
