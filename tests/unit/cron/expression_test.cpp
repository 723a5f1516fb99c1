// Goal: cron expressions mean what Vixie's cron and Quartz's L, W and # say, and wrong ones are refused with the place.
// Method: small expressions with the days worked out by hand, and a table of bad ones.
#include "cron/expression.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "unit/cron/fixture.hpp"

using namespace godwit;
using cron::fires;
using Texts = std::vector<std::string>;

TEST_CASE("five fields and six") {
  CHECK(fires(cron::cron("30 2 * * *"), "2026-03-28T00:00:00Z", 2) ==
        Texts{"2026-03-28T02:30:00Z", "2026-03-29T02:30:00Z"});
  CHECK(fires(cron::cron("15 30 2 * * *"), "2026-03-28T00:00:00Z", 1) == Texts{"2026-03-28T02:30:15Z"});
  CHECK(fires(cron::cron("*/20 59 23 31 12 *"), "2026-12-31T23:59:20Z", 2) ==
        Texts{"2026-12-31T23:59:40Z", "2027-12-31T23:59:00Z"});
}

TEST_CASE("lists, ranges, steps and names") {
  CHECK(fires(cron::cron("0 8-10/2,22 * JAN,jul MON-Wed"), "2026-01-01T00:00:00Z", 4) ==
        Texts{"2026-01-05T08:00:00Z", "2026-01-05T10:00:00Z", "2026-01-05T22:00:00Z", "2026-01-06T08:00:00Z"});
  CHECK(fires(cron::cron("50/5 0 1 1 *"), "2026-01-01T00:00:00Z", 2) ==
        Texts{"2026-01-01T00:50:00Z", "2026-01-01T00:55:00Z"});
  SECTION("Sunday is 0 and 7, and ends a range") {
    for (const auto* text : {"0 0 * * 0", "0 0 * * 7", "0 0 * * SUN"})
      CHECK(fires(cron::cron(text), "2026-11-24T00:00:00Z", 1) == Texts{"2026-11-29T00:00:00Z"});
    CHECK(fires(cron::cron("0 0 * * FRI-SUN"), "2026-11-24T00:00:00Z", 3) ==
          Texts{"2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z"});
  }
}

TEST_CASE("either day field is enough, unless one begins with a star") {
  CHECK(fires(cron::cron("0 0 13 * FRI"), "2026-11-01T00:00:00Z", 4) ==
        Texts{"2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z", "2026-11-27T00:00:00Z"});
  CHECK(fires(cron::cron("0 0 */2 * FRI"), "2026-11-01T00:00:00Z", 2) ==
        Texts{"2026-11-13T00:00:00Z", "2026-11-27T00:00:00Z"});
  CHECK(fires(cron::cron("0 0 1-31 * FRI"), "2026-11-01T00:00:00Z", 1) == Texts{"2026-11-02T00:00:00Z"});
}

TEST_CASE("L, W and # in the day fields") {
  const auto days = [](const char* text, std::size_t count) {
    auto out = fires(cron::cron(text), "2026-01-31T12:00:00Z", count);
    for (auto& day : out) day = day.substr(5, 5);
    return out;
  };
  CHECK(days("0 0 L * *", 3) == Texts{"02-28", "03-31", "04-30"});
  CHECK(days("0 0 L-3 * *", 2) == Texts{"02-25", "03-28"});
  CHECK(days("0 0 15W * *", 4) == Texts{"02-16", "03-16", "04-15", "05-15"});  // 15 February and 15 March are Sundays
  CHECK(days("0 0 1W * *", 5) == Texts{"02-02", "03-02", "04-01", "05-01", "06-01"});
  CHECK(days("0 0 1W 8 *", 1) == Texts{"08-03"});  // the 1st is a Saturday: not back into July
  CHECK(days("0 0 31W * *", 2) == Texts{"03-31", "05-29"});
  CHECK(days("0 0 LW * *", 2) == Texts{"02-27", "03-31"});
  CHECK(days("0 0 * * FRI#2", 2) == Texts{"02-13", "03-13"});
  CHECK(days("0 0 * * 7#5", 2) == Texts{"03-29", "05-31"});
  CHECK(days("0 0 * * 5L", 2) == Texts{"02-27", "03-27"});
  CHECK(days("0 0 * * L5", 2) == Texts{"02-27", "03-27"});
}

TEST_CASE("short names") {
  CHECK(fires(cron::cron("@daily"), "2026-11-24T10:00:00Z", 1) == Texts{"2026-11-25T00:00:00Z"});
  CHECK(fires(cron::cron("@Yearly"), "2026-11-24T10:00:00Z", 1) == Texts{"2027-01-01T00:00:00Z"});
  CHECK(fires(cron::cron("@weekly"), "2026-11-24T10:00:00Z", 1) == Texts{"2026-11-29T00:00:00Z"});
  CHECK(fires(cron::cron("@every 90m"), "2026-11-24T10:00:00Z", 1) == Texts{"2026-11-24T10:30:00Z"});
}

TEST_CASE("wrong expressions are refused, with the place of the fault") {
  struct Case {
    const char* text;
    int column;
    const char* says;
  };
  const Case cases[] = {
      {"61 * * * *", 1, "minute 61 does not exist"},
      {"0 24 * * *", 3, "hour 24 does not exist"},
      {"0 0 0 * *", 5, "day of month 0 does not exist"},
      {"0 0 * 13 *", 7, "month 13 does not exist"},
      {"0 0 * * 8", 9, "day of week 8 does not exist"},
      {"0 0 * FOO *", 7, "'foo' is no month"},
      {"0 22-2 * * *", 3, "the range 22-2 goes backwards; write it as two: 22-23,0-2"},
      {"*/0 * * * *", 3, "'0' is no step"},
      {"*/90 * * * *", 3, "use `every`"},
      {"1,,2 * * * *", 3, "a value is missing"},
      {"0 0 30 2 *", 5, "no year has such a day"},
      {"0 0 31 2,4,6,9,11 *", 5, "no year has such a day"},
      {"0 0 31W 2 *", 5, "no year has such a day"},
      {"0 0 */30 2 *", 0, ""},  // the 1st as well
      {"0 0 * * FRI#6", 13, "week of the month 6 does not exist"},
      {"0 0 * * L", 9, "L alone"},
      {"0 0 * *", 1, "has five fields or six, this one has 4"},
      {"", 1, "this one has 0"},
      {"* * * * * * *", 1, "this one has 7"},
      {"@reboot", 1, "no time"},
      {"@fortnightly", 1, "there is no"},
      {"-1 * * * *", 1, "a value is missing"},
      {"99999999999 * * * *", 1, "is no minute"},
      {"5w * * * *", 1, "'5w' is no minute"},
  };
  for (const auto& one : cases) {
    INFO(one.text);
    if (one.column == 0) {
      CHECK_NOTHROW(cron::parse_cron(one.text));
      continue;
    }
    try {
      cron::parse_cron(one.text);
      FAIL("was accepted");
    } catch (const base::Error& error) {
      CHECK(error.kind() == base::ErrorKind::refused);
      CHECK_THAT(error.what(), Catch::Contains(one.says));
      CHECK(error.problems().front().place.column == one.column);
    }
  }
  CHECK_THROWS_AS(cron::parse_cron(std::string(100'000, '*')), base::Error);
}
