#include <catch2/catch.hpp>

#include "host/lookout.hpp"

using godwit::host::Lookout;
using namespace std::chrono_literals;

namespace {

// A reading thread on a clock that is stepped: what it spent on looking, and how often it slept.
struct Reader {
  Lookout lookout;
  Lookout::Time now{0};
  Lookout::Time looked{0};
  int sleeps = 0;

  // The next request comes so long after the answer; a thread that sleeps needs `waking` more to see it.
  void request_after(Lookout::Time pause, Lookout::Time waking = 20us) {
    const auto answered = now;
    const auto patience = lookout.patience();
    looked += std::min(patience, pause);
    now += pause;
    if (pause > patience) {
      if (patience > 0us) lookout.in_vain();
      ++sleeps;
      now += waking;
    }
    lookout.came_after(now - answered);
  }
  void requests(int count, Lookout::Time pause) {
    while (count-- > 0) request_after(pause);
  }
};

}  // namespace

TEST_CASE("who is asked again at once soon stays awake for it") {
  Reader reader;
  reader.requests(Lookout::kStreak, 30us);
  CHECK(reader.sleeps == Lookout::kStreak);
  CHECK(reader.looked == 0us);
  reader.requests(1000, 30us);
  CHECK(reader.sleeps == Lookout::kStreak);
  CHECK(reader.looked == 1000 * 30us);
}

TEST_CASE("who is asked seldom never looks") {
  Reader reader;
  reader.requests(10'000, 2ms);
  CHECK(reader.looked == 0us);
  // Not even when a few come together each time.
  for (int i = 0; i < 1000; ++i) {
    reader.requests(Lookout::kStreak - 1, 30us);
    reader.request_after(2ms);
  }
  CHECK(reader.looked == 0us);
}

TEST_CASE("a look in vain is the last one until pauses are short again") {
  Reader reader;
  reader.requests(Lookout::kStreak + 1, 30us);
  CHECK(reader.lookout.patience() == Lookout::kPatience);
  reader.request_after(1s);
  CHECK(reader.looked == 30us + Lookout::kPatience);
  CHECK(reader.lookout.patience() == 0us);
  reader.requests(Lookout::kStreak, 30us);
  CHECK(reader.lookout.patience() == 0us);  // twice as many are wanted now
  reader.requests(Lookout::kStreak, 30us);
  CHECK(reader.lookout.patience() == Lookout::kPatience);
}

TEST_CASE("pauses that seem short and are too long for a look cost next to nothing") {
  Reader reader;
  reader.requests(100'000, 70us);
  CHECK(reader.looked < reader.now / 1000);
}

TEST_CASE("looks that find something make up for those that did not") {
  Reader reader;
  for (int i = 0; i < 20; ++i) {
    reader.requests(Lookout::kStreakMax, 30us);
    reader.request_after(1s);
  }
  const int before = reader.sleeps;
  reader.requests(4 * Lookout::kStreakMax, 30us);
  reader.request_after(1s);
  reader.requests(100, 30us);
  CHECK(reader.sleeps - before < 2 * Lookout::kStreakMax);
  CHECK(reader.lookout.patience() == Lookout::kPatience);
}
