#include "engine/sleepers.hpp"

#include <catch2/catch.hpp>

#include "lab/virtual_clock.hpp"

using namespace godwit;
using namespace std::chrono_literals;

TEST_CASE("what is woken early again and again costs no memory, and all wake when it is time") {
  lab::VirtualClock clock;
  std::vector<model::RunId> woken;
  engine::Sleepers sleepers(clock, [&](model::RunId run) { woken.push_back(run); });
  const auto end = clock.now() + 240h;
  sleepers.add(model::RunId(1), end);
  sleepers.add(model::RunId(2), {});
  for (int i = 0; i < 20'000; ++i) {
    sleepers.add(model::RunId(3), end + std::chrono::microseconds(i));
    REQUIRE(sleepers.alarms() < 2000);
    if (i + 1 < 20'000) REQUIRE(sleepers.remove(model::RunId(3)));
  }
  clock.advance(241h);
  CHECK(woken == std::vector{model::RunId(1), model::RunId(3)});
  CHECK(sleepers.size() == 1);
}
