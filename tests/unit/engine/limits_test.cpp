#include <catch2/catch.hpp>
#include <random>

#include "engine/limits.hpp"

using godwit::engine::Limits;

TEST_CASE("permits are granted all at once or not at all") {
  Limits limits;
  limits.set("a", 2, Limits::Source::config);
  limits.set("b", 1, Limits::Source::config);
  const auto both = limits.acquire({{"a", 1}, {"b", 1}}, "one", [] { FAIL("was granted at once"); });
  CHECK_FALSE(limits.waiting(both));
  bool granted = false;
  const auto second = limits.acquire({{"a", 1}, {"b", 1}}, "two", [&] { granted = true; });
  CHECK(limits.waiting(second));
  CHECK(limits.view()[0].used == 1);  // it holds nothing of `a` while it waits for `b`
  limits.release(both);
  CHECK(granted);
  CHECK(limits.view()[0].used == 1);
}

TEST_CASE("who asks for little does not overtake who waits for much") {
  Limits limits;
  limits.set("a", 4, Limits::Source::config);
  const auto first = limits.acquire({{"a", 3}}, "first", [] {});
  std::string order;
  const auto big = limits.acquire({{"a", 4}}, "big", [&] { order += "big "; });
  const auto small = limits.acquire({{"a", 1}}, "small", [&] { order += "small "; });
  CHECK(order.empty());
  limits.release(first);
  CHECK(order == "big ");
  limits.release(big);
  CHECK(order == "big small ");
  limits.release(small);
  CHECK(limits.view()[0].used == 0);
}

TEST_CASE("a waiter that goes away lets the next one through") {
  Limits limits;
  limits.set("a", 2, Limits::Source::config);
  const auto first = limits.acquire({{"a", 1}}, "first", [] {});
  const auto big = limits.acquire({{"a", 2}}, "big", [] { FAIL("was given back"); });
  bool granted = false;
  limits.acquire({{"a", 1}}, "small", [&] { granted = true; });
  CHECK_FALSE(granted);
  limits.release(big);
  CHECK(granted);
  limits.release(first);
}

TEST_CASE("a raised limit serves the queue, a lowered one waits for what is out") {
  Limits limits;
  limits.set("a", 1, Limits::Source::config);
  const auto first = limits.acquire({{"a", 1}}, "first", [] {});
  int granted = 0;
  for (int i = 0; i < 3; ++i) limits.acquire({{"a", 1}}, "next", [&] { ++granted; });
  limits.set("a", 3, Limits::Source::operator_);
  CHECK(granted == 2);
  limits.set("a", 1, Limits::Source::operator_);
  limits.release(first);
  CHECK(granted == 2);
}

TEST_CASE("the operator's word on a limit stands against the job's") {
  Limits limits;
  limits.set("a", 5, Limits::Source::operator_);
  limits.set("a", 9, Limits::Source::job);
  CHECK(limits.permits("a") == 5);
}

TEST_CASE("random use never exceeds a limit and never leaves anybody waiting for free permits") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  Limits limits;
  std::map<std::string, int> sizes{{"a", 3}, {"b", 5}, {"c", 1}};
  for (const auto& [name, permits] : sizes) limits.set(name, permits, Limits::Source::config);
  std::map<Limits::Ticket, Limits::Demand> out, waiting;
  std::map<int, Limits::Ticket> tickets;
  for (int round = 0; round < 5000; ++round) {
    if (random() % 2 == 0 || (out.empty() && waiting.empty())) {
      Limits::Demand demand;
      for (const auto& [name, permits] : sizes)
        if (random() % 2) demand[name] = 1 + static_cast<int>(random() % static_cast<unsigned>(permits));
      if (demand.empty()) continue;
      tickets[round] = limits.acquire(demand, "x", [&, round] {
        const auto ticket = tickets.at(round);
        out[ticket] = waiting.at(ticket);
        waiting.erase(ticket);
      });
      (limits.waiting(tickets[round]) ? waiting : out)[tickets[round]] = demand;
    } else {
      auto& from = !out.empty() && (waiting.empty() || random() % 4) ? out : waiting;
      auto victim = std::next(from.begin(), static_cast<std::ptrdiff_t>(random() % from.size()));
      const auto ticket = victim->first;
      from.erase(victim);
      limits.release(ticket);
    }
    std::map<std::string, int> used;
    for (const auto& [ticket, demand] : out)
      for (const auto& [name, count] : demand) used[name] += count;
    for (const auto& view : limits.view()) {
      REQUIRE(view.used == used[view.name]);
      REQUIRE(view.used <= view.permits);
    }
    if (out.empty()) REQUIRE(waiting.empty());
  }
}
