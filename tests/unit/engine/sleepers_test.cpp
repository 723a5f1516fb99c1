#include "engine/sleepers.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <deque>
#include <memory>

#include "base/heap_trim.hpp"
#include "lab/virtual_clock.hpp"
#include "support/resident.hpp"

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

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // whose allocators keep what was freed
TEST_CASE("what runs had before they slept goes back to the system") {
  lab::VirtualClock clock;
  engine::Sleepers sleepers(clock, [](model::RunId) {});
  base::HeapTrim heap;
  constexpr int kRuns = 50'000, kAtOnce = 4096, kSize = 6000;
  struct Awake {
    std::string much = std::string(kSize, 'x');
    std::unique_ptr<std::array<char, 24>> little = std::make_unique<std::array<char, 24>>();
  };
  const std::size_t before = support::resident();
  std::deque<Awake> awake;
  for (int run = 1; run <= kRuns + kAtOnce; ++run) {
    if (run <= kRuns) awake.emplace_back();
    if (run <= kAtOnce) continue;
    sleepers.add(model::RunId(run - kAtOnce), {});
    awake.pop_front();
    heap.left(awake.empty());
  }
  CHECK(sleepers.size() == kRuns);
  CHECK(support::resident() < before + (5u << 20));
}
#endif
