#include <catch2/catch.hpp>

#include "base/time.hpp"

using namespace godwit::base;
using namespace std::chrono_literals;

TEST_CASE("durations are read with their units") {
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("1m30s") == 90s);
  CHECK(parse_duration("3d") == 72h);
  CHECK(parse_duration("2w") == 336h);
  CHECK(parse_duration("0") == 0s);
  CHECK(parse_duration("5us") == 5us);
}

TEST_CASE("what is no duration is refused") {
  for (const char* text :
       {"", "5", "s", "-5s", "5 s", "1.5s", "5x", "99999999999999999999s", "9223372036854775807w", "+5s", "5s-3s"}) {
    INFO(text);
    CHECK_FALSE(parse_duration(text));
  }
}

TEST_CASE("a duration's text reads back as the duration") {
  for (const Duration duration :
       {Duration(0), Duration(1), Duration(1500), Duration(90s), Duration(25h), Duration(50h + 1ms)}) {
    INFO(format_duration(duration));
    CHECK(parse_duration(format_duration(duration)) == duration);
  }
}

TEST_CASE("instants are RFC 3339 in UTC") {
  const auto instant = parse_instant("2026-11-22T16:45:41.250Z");
  REQUIRE(instant);
  CHECK(format_instant(*instant) == "2026-11-22T16:45:41.250Z");
  CHECK(parse_instant("2026-11-22T17:45:41.25+01:00") == instant);
  CHECK(parse_instant("2024-02-29T00:00:00Z"));
  for (const char* text : {"2023-02-29T00:00:00Z", "2026-11-22", "2026-11-22T24:00:00Z", "2026-11-22T16:45:41",
                           "nonsense", "2026-11-22T16:45:41+1"}) {
    INFO(text);
    CHECK_FALSE(parse_instant(text));
  }
}
