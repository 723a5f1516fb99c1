// Goal: the rule for clock changes does what its table (scripts/README.md) says. Method: the table, case by case, in
// zones with changes of an hour, of half an hour and of a whole day.
#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "unit/cron/fixture.hpp"

using namespace godwit;
using cron::fires;
using model::ClockChange;
using Texts = std::vector<std::string>;

namespace {

struct Case {
  const char* cron;
  const char* zone;
  const char* from;
  ClockChange rule;
  Texts expected;
};

constexpr auto kOnce = ClockChange::run_once, kSkip = ClockChange::skip, kBoth = ClockChange::both,
               kShift = ClockChange::shift;

// Berlin: 2026-03-29 02:00 +01:00 becomes 03:00 +02:00; 2026-10-25 03:00 +02:00 becomes 02:00 +01:00.
constexpr auto kSpring = "2026-03-28T12:00:00Z", kAutumn = "2026-10-24T12:00:00Z", kBerlin = "Europe/Berlin";

const Case kCases[] = {
    // A time the clock skips.
    {"30 2 * * *", kBerlin, kSpring, kOnce, {"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
    {"30 2 * * *", kBerlin, kSpring, kBoth, {"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
    {"30 2 * * *", kBerlin, kSpring, kSkip, {"2026-03-30T02:30:00+02:00"}},
    {"30 2 * * *", kBerlin, kSpring, kShift, {"2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"}},
    // Several times within the gap: made up for once, or each of them moved.
    {"*/20 2 * * *", kBerlin, kSpring, kOnce, {"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"}},
    {"*/20 2 * * *",
     kBerlin,
     kSpring,
     kShift,
     {"2026-03-29T03:00:00+02:00", "2026-03-29T03:20:00+02:00", "2026-03-29T03:40:00+02:00",
      "2026-03-30T02:00:00+02:00"}},
    // What is made up for falls on a time of its own: one fire, not two; the order stays.
    {"0 2,3 * * *", kBerlin, kSpring, kOnce, {"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"}},
    {"0,30 2,3 * * *",
     kBerlin,
     kSpring,
     kShift,
     {"2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:00:00+02:00"}},
    {"10 3,2 * * *", kBerlin, kSpring, kOnce, {"2026-03-29T03:00:00+02:00", "2026-03-29T03:10:00+02:00"}},
    // Times around the gap are not touched.
    {"59 1 * * *", kBerlin, kSpring, kOnce, {"2026-03-29T01:59:00+01:00", "2026-03-30T01:59:00+02:00"}},
    {"0 3 * * *", kBerlin, kSpring, kSkip, {"2026-03-29T03:00:00+02:00", "2026-03-30T03:00:00+02:00"}},
    // A time the clock shows twice.
    {"30 2 * * *", kBerlin, kAutumn, kOnce, {"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
    {"30 2 * * *", kBerlin, kAutumn, kSkip, {"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
    {"30 2 * * *", kBerlin, kAutumn, kShift, {"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
    {"30 2 * * *",
     kBerlin,
     kAutumn,
     kBoth,
     {"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"}},
    {"0 3 * * *", kBerlin, kAutumn, kOnce, {"2026-10-25T03:00:00+01:00", "2026-10-26T03:00:00+01:00"}},
    {"0 2 * * *", kBerlin, kAutumn, kOnce, {"2026-10-25T02:00:00+02:00", "2026-10-26T02:00:00+01:00"}},
    // From within the second pass the first is over.
    {"30 2 * * *", kBerlin, "2026-10-25T01:00:00Z", kOnce, {"2026-10-26T02:30:00+01:00"}},
    // Every hour: time that passes. Nothing is doubled or dropped, whatever the rule.
    {"30 * * * *", kBerlin, "2026-03-29T00:00:00Z", kOnce, {"2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"}},
    {"30 * * * *", kBerlin, "2026-03-29T00:00:00Z", kShift, {"2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"}},
    {"30 * * * *",
     kBerlin,
     "2026-10-25T00:00:00Z",
     kSkip,
     {"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00"}},
    // Half an hour: Lord Howe, 2026-10-04 02:00 +10:30 becomes 02:30 +11:00; 2026-04-05 02:00 +11:00 becomes 01:30
    // +10:30.
    {"15 2 * * *",
     "Australia/Lord_Howe",
     "2026-10-03T12:00:00Z",
     kOnce,
     {"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
    {"15 2 * * *",
     "Australia/Lord_Howe",
     "2026-10-03T12:00:00Z",
     kShift,
     {"2026-10-04T02:45:00+11:00", "2026-10-05T02:15:00+11:00"}},
    {"45 1 * * *",
     "Australia/Lord_Howe",
     "2026-04-04T12:00:00Z",
     kBoth,
     {"2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30", "2026-04-06T01:45:00+10:30"}},
    // Winter time that is the zone's odd one (Dublin), and the far future, whose rules are in no table of transitions.
    {"30 1 * * *",
     "Europe/Dublin",
     "2026-03-29T00:00:00Z",
     kOnce,
     {"2026-03-29T02:00:00+01:00", "2026-03-30T01:30:00+01:00"}},
    {"30 1 * * *",
     "Europe/Dublin",
     "2040-03-24T12:00:00Z",
     kShift,
     {"2040-03-25T02:30:00+01:00", "2040-03-26T01:30:00+01:00"}},
    // Samoa went without 30 December 2011: a day's fires are made up for once.
    {"0 8,20 30 12 *",
     "Pacific/Apia",
     "2011-12-01T00:00:00Z",
     kOnce,
     {"2011-12-31T00:00:00+14:00", "2012-12-30T08:00:00+14:00"}},
    {"0 8,20 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", kSkip, {"2012-12-30T08:00:00+14:00"}},
    {"0 8,20 30 12 *",
     "Pacific/Apia",
     "2011-12-01T00:00:00Z",
     kShift,
     {"2011-12-31T08:00:00+14:00", "2011-12-31T20:00:00+14:00", "2012-12-30T08:00:00+14:00"}},
    // Midnight itself: Beirut, 2026-03-29 00:00 becomes 01:00.
    {"0 0 * * *",
     "Asia/Beirut",
     "2026-03-28T12:00:00Z",
     kOnce,
     {"2026-03-29T01:00:00+03:00", "2026-03-30T00:00:00+03:00"}},
};

}  // namespace

TEST_CASE("clock changes") {
  for (const auto& one : kCases) {
    INFO(one.cron << " " << one.zone << " from " << one.from << " " << model::name_in(model::kClockChanges, one.rule));
    CHECK(fires(cron::cron(one.cron, one.zone, one.rule), one.from, one.expected.size()) == one.expected);
  }
}

TEST_CASE("a fire does not depend on where one starts to look") {
  for (const auto rule : {kOnce, kSkip, kBoth, kShift}) {
    const cron::FireTimes times(cron::cron("*/7 1-3 * * *", kBerlin, rule));
    for (const auto* start : {"2026-03-28T23:00:00Z", "2026-10-24T23:00:00Z"}) {
      const auto first = cron::at(start);
      for (auto after = first; after < first + std::chrono::hours(6);) {
        const auto next = times.next(after);
        REQUIRE(next);
        CHECK(*next > after);
        for (auto between = after; between < *next; between += std::chrono::seconds(59))
          REQUIRE(times.next(between) == next);
        after = *next;
      }
    }
  }
}

TEST_CASE("zones that do not exist are refused, and names are no paths") {
  for (const auto* name :
       {"", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "localtime", "Europe/Dub lin", "europe/dublin "}) {
    INFO(name);
    CHECK_THROWS_AS(cron::FireTimes(cron::cron("@daily", name)), base::Error);
  }
}
