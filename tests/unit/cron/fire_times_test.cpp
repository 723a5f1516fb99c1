// Goal: intervals, single points of time and systemd's calendar expressions give the right instants, and looking far
// ahead is cheap. Method: instants worked out by hand; a clock around the hardest searches.
#include "cron/fire_times.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "cron/on_calendar.hpp"
#include "unit/cron/fixture.hpp"

using namespace godwit;
using cron::fires;
using model::Timing;
using Texts = std::vector<std::string>;

TEST_CASE("intervals count from a fixed instant") {
  CHECK(fires({Timing::Kind::every, "15m"}, "2026-11-24T10:07:00Z", 2) ==
        Texts{"2026-11-24T10:15:00Z", "2026-11-24T10:30:00Z"});
  CHECK(fires({Timing::Kind::every, "15m"}, "2026-11-24T10:15:00Z", 1) == Texts{"2026-11-24T10:30:00Z"});
  CHECK(fires({Timing::Kind::every, "36h from 2026-11-24T08:00:00Z"}, "2026-11-01T00:00:00Z", 2) ==
        Texts{"2026-11-24T08:00:00Z", "2026-11-25T20:00:00Z"});
  CHECK(fires({Timing::Kind::every, "1h", "Europe/Berlin"}, "2026-03-29T00:30:00Z", 2) ==
        Texts{"2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"});
  for (const auto* text : {"", "0", "10ms", "-5m", "15", "15m from yesterday", "quarterly"}) {
    INFO(text);
    CHECK_THROWS_AS(cron::FireTimes({Timing::Kind::every, text}), base::Error);
  }
}

TEST_CASE("a single point of time fires once") {
  CHECK(fires({Timing::Kind::at, "2026-12-24T18:00:00Z"}, "2026-11-24T10:00:00Z", 2) == Texts{"2026-12-24T18:00:00Z"});
  CHECK(fires({Timing::Kind::at, "2026-12-24T18:00:00.5Z"}, "2026-12-24T18:00:00Z", 2) ==
        Texts{"2026-12-24T18:00:00.500000Z"});
  CHECK(fires({Timing::Kind::at, "2026-12-24T18:00", "Europe/Berlin"}, "2026-11-24T10:00:00Z", 2) ==
        Texts{"2026-12-24T18:00:00+01:00"});
  CHECK(fires({Timing::Kind::at, "2026-03-29 02:30:10", "Europe/Berlin"}, "2026-01-01T00:00:00Z", 2) ==
        Texts{"2026-03-29T03:00:00+02:00"});
  CHECK(fires({Timing::Kind::at, "2026-12-24T18:00:00Z"}, "2026-12-24T18:00:00Z", 1).empty());
  for (const auto* text : {"", "2026-02-30T00:00", "2026-13-01T00:00", "2026-12-24", "2026-12-24T25:00",
                           "2026-12-24T18:00:00 Berlin", "tomorrow", "2026-12-24T-1:00"}) {
    INFO(text);
    CHECK_THROWS_AS(cron::FireTimes({Timing::Kind::at, text}), base::Error);
  }
}

TEST_CASE("calendar expressions of systemd") {
  const auto calendar = [](const char* text, std::size_t count) {
    return fires({Timing::Kind::calendar, text}, "2026-11-24T10:00:00Z", count);
  };
  CHECK(calendar("Mon..Fri 02:30", 4) ==
        Texts{"2026-11-25T02:30:00Z", "2026-11-26T02:30:00Z", "2026-11-27T02:30:00Z", "2026-11-30T02:30:00Z"});
  CHECK(calendar("*-*-* 00/8:15", 2) == Texts{"2026-11-24T16:15:00Z", "2026-11-25T00:15:00Z"});
  CHECK(calendar("*:0/20", 2) == Texts{"2026-11-24T10:20:00Z", "2026-11-24T10:40:00Z"});
  CHECK(calendar("*-02~01", 2) == Texts{"2027-02-28T00:00:00Z", "2028-02-29T00:00:00Z"});
  CHECK(calendar("Mon *-05~07/1", 2) == Texts{"2027-05-31T00:00:00Z", "2028-05-29T00:00:00Z"});
  CHECK(calendar("2027-01-05..07 12:00:30", 9) ==
        Texts{"2027-01-05T12:00:30Z", "2027-01-06T12:00:30Z", "2027-01-07T12:00:30Z"});
  CHECK(calendar("weekly", 1) == Texts{"2026-11-30T00:00:00Z"});
  CHECK(calendar("12-24T18:00 Europe/Berlin", 1) == Texts{"2026-12-24T18:00:00+01:00"});
  CHECK(calendar("2020-01-01", 1).empty());
  for (const auto* text : {"", "Mon..", "Fri..Mon", "25:00", "*-13-01", "*:45/29", "35..40/6:00", "*-*~29", "*-*~07/7",
                           "*-02-30", "12", "*-*-* 10:00 Mars/Olympus", "@1700000000", "10:00:00.5", "10:00 x y",
                           "Foo 10:00", "*:0/0", "2200-01-01", "*-*~*"}) {
    INFO(text);
    CHECK_THROWS_AS(cron::FireTimes({Timing::Kind::calendar, text}), base::Error);
  }
}

TEST_CASE("looking far ahead takes no time") {
  // Each of them is decades or centuries away, in zones whose clocks change twice a year.
  const struct {
    const char* text;
    const char* from;
    const char* expected;
  } cases[] = {{"0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00"},
               {"0 0 */28 2 SUN#5", "2004-03-01T00:00:00Z", "2032-02-29T00:00:00"},
               {"59 59 23 31W 12 *", "2000-12-31T00:00:00Z", "2001-12-31T23:59:59"}};
  for (const auto& one : cases) {
    INFO(one.text);
    const cron::FireTimes times(cron::cron(one.text, "America/New_York"));
    CHECK(cron::format_in_zone(times.next(cron::at(one.from)).value(), times.zone()).substr(0, 19) == one.expected);
  }
  const cron::FireTimes times(cron::cron("0 0 */28 2 SUN#5", "Europe/Berlin"));
  const auto begin = base::thread_cpu_time();
  constexpr int kRounds = 1000;
  for (int i = 0; i < kRounds; ++i) REQUIRE(times.next(cron::at("2032-03-01T00:00:00Z") + std::chrono::hours(i)));
  const auto each = std::chrono::duration_cast<std::chrono::microseconds>((base::thread_cpu_time() - begin) / kRounds);
  WARN("28 years ahead in " << each.count() << " us");
  CHECK(each < std::chrono::milliseconds(1));
}
