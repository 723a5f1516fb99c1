#include <catch2/catch.hpp>
#include <random>

#include "engine/limits.hpp"
#include "engine/quota.hpp"
#include "lab/virtual_clock.hpp"
#include "support/seed.hpp"

using namespace godwit;
using namespace godwit::engine;

namespace {

QuotaAsk ask(std::int64_t held, std::int64_t wanted, std::int64_t need = 0, int since = 0) {
  QuotaAsk ask{.name = "few", .total = 10, .held = held, .wanted = wanted, .need = need};
  if (need > 0) ask.since = base::from_microseconds(since);
  return ask;
}
using Targets = std::map<int, std::int64_t>;

}  // namespace

TEST_CASE("a limit is divided by what nodes want") {
  CHECK(fair_targets(10, {{1, ask(0, 0)}, {2, ask(0, 0)}}) == Targets{{1, 5}, {2, 5}});
  CHECK(fair_targets(10, {{1, ask(0, 10)}, {2, ask(0, 10)}}) == Targets{{1, 5}, {2, 5}});
  CHECK(fair_targets(10, {{1, ask(0, 10)}, {2, ask(0, 2)}}) == Targets{{1, 8}, {2, 2}});
  CHECK(fair_targets(1, {{1, ask(0, 1, 1, 20)}, {2, ask(0, 1, 1, 10)}}) == Targets{{1, 0}, {2, 1}});
  // Who needs much at once gets it when it is his turn, however many want a little.
  CHECK(fair_targets(10, {{1, ask(0, 10, 9, 1)}, {2, ask(0, 10, 1, 2)}, {3, ask(0, 10, 1, 3)}}) ==
        Targets{{1, 9}, {2, 1}, {3, 0}});
}

TEST_CASE("what nodes hold is never more than the limit") {
  std::mt19937_64 random(support::seed());
  for (int history = 0; history < 200; ++history) {
    const auto total = static_cast<std::int64_t>(1 + random() % 20);
    std::map<int, QuotaAsk> asks;
    for (int step = 0; step < 200; ++step) {
      const int node = static_cast<int>(random() % 4);
      auto& mine = asks[node];
      // It may have ceased to use some of what it held, and want anything.
      mine.held = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(mine.held + 1));
      mine.wanted = static_cast<std::int64_t>(random() % 30);
      mine.need = std::min<std::int64_t>(mine.wanted, static_cast<std::int64_t>(random() % 5));
      mine.since = base::from_microseconds(step);
      const auto grant = grant_quota(total, node, asks);
      REQUIRE(grant.held >= mine.held);
      mine.held = grant.held;
      std::int64_t sum = 0;
      for (const auto& [other, one] : asks) sum += one.held;
      REQUIRE(sum <= total);
      if (random() % 50 == 0) asks.erase(node);
    }
  }
}

TEST_CASE("limits that are shared let through what the quota allows") {
  lab::VirtualClock clock;
  Limits limits(clock);
  limits.set("few", 4, Limits::Source::job);
  std::vector<Limits::Ticket> tickets;
  for (int i = 0; i < 3; ++i) tickets.push_back(limits.acquire({{"few", 1}}, "a", [] {}));
  limits.share_out();
  CHECK(limits.quota_asks()[0].held == 4);
  limits.set_quota("few", {4, 2});
  CHECK(limits.quota_asks()[0].held == 3);  // what is in use is not taken away
  limits.release(tickets[0]);
  limits.release(tickets[1]);
  CHECK(limits.quota_asks()[0].held == 2);
  const auto second = limits.acquire({{"few", 1}}, "b", [] {});
  CHECK_FALSE(limits.waiting(second));
  int short_of = 0;
  limits.short_of = [&] { ++short_of; };
  const auto third = limits.acquire({{"few", 1}}, "c", [] {});
  CHECK(limits.waiting(third));
  CHECK(short_of == 1);
  CHECK(limits.quota_asks()[0].need == 3);
  limits.set_quota("few", {3, 3});
  CHECK_FALSE(limits.waiting(third));

  // What comes to be known later is nobody's to take before it was asked for.
  limits.set("rate", *model::parse_limit("10/s"), Limits::Source::job);
  const auto token = limits.acquire({{"rate", 1}}, "d", [] {});
  CHECK(limits.waiting(token));
  limits.set_quota("rate", {kWholeRate / 2, kWholeRate / 2});
  CHECK(limits.waiting(token));
  clock.advance(std::chrono::milliseconds(1100));
  CHECK_FALSE(limits.waiting(token));
  limits.take_whole();
  CHECK_FALSE(limits.waiting(limits.acquire({{"few", 1}}, "e", [] {})));
}
