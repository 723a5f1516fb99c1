#include <catch2/catch.hpp>
#include <deque>
#include <memory>
#include <random>

#include "engine/limits.hpp"
#include "lab/virtual_clock.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using engine::Limits;

TEST_CASE("permits are granted all at once or not at all") {
  lab::VirtualClock clock;
  Limits limits(clock);
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
  lab::VirtualClock clock;
  Limits limits(clock);
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
  lab::VirtualClock clock;
  Limits limits(clock);
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
  lab::VirtualClock clock;
  Limits limits(clock);
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
  lab::VirtualClock clock;
  Limits limits(clock);
  limits.set("a", 5, Limits::Source::operator_);
  limits.set("a", 9, Limits::Source::job);
  CHECK(limits.spec("a")->permits == 5);
}

TEST_CASE("jobs that declare one limit have the smallest number, below the operator's") {
  lab::VirtualClock clock;
  Limits limits(clock);
  const auto permits = [&] {
    clock.run_posted();
    return limits.spec("a")->permits;
  };
  auto first = limits.declare("first", {{"a", {.permits = 1}}});
  auto second = limits.declare("second", {{"a", {.permits = 5}}});
  CHECK(permits() == 1);
  auto again = limits.declare("first", {{"a", {.permits = 3}}});
  CHECK(permits() == 3);
  CHECK(limits.spec_with("a", "first", {{"a", {.permits = 9}}})->permits == 5);
  CHECK(limits.spec_with("a", "third", {{"a", {.permits = 9}}})->permits == 3);
  CHECK(limits.spec_with("new", "third", {{"new", {.permits = 9}}})->permits == 9);
  CHECK_FALSE(limits.spec_with("new", "third", {}));
  again = {};
  CHECK(permits() == 3);
  first = {};
  CHECK(permits() == 5);
  limits.take({"a", {.permits = 7}});
  auto third = limits.declare("third", {{"a", {.permits = 2}}});
  CHECK(permits() == 7);
  limits.take({"a", {}, true});
  CHECK(permits() == 2);
  third = {};
  CHECK(permits() == 5);
  second = {};
  CHECK(permits() == 5);
}

TEST_CASE("what a job says of a rate and of permits has an order, and may outlive the limits") {
  lab::VirtualClock clock;
  Limits::Declaration kept;
  {
    Limits limits(clock);
    kept = limits.declare("first", {{"a", *model::parse_limit("10/s")}, {"b", *model::parse_limit("10/s")}});
    const auto other = limits.declare("second", {{"a", *model::parse_limit("2/s")}, {"b", {.permits = 4}}});
    CHECK(limits.spec("a")->rate == 2);
    CHECK(limits.spec("b")->permits == 4);
  }
  kept = {};
  clock.run_posted();
}

TEST_CASE("what an operator takes back leaves the settings' word, or the job's, or nothing") {
  lab::VirtualClock clock;
  Limits limits(clock);
  const auto said = [&](const char* name, int permits) { limits.take({name, {.permits = permits}}); };
  const auto unsaid = [&](const char* name) { limits.take({name, {}, true}); };
  limits.set("api", 1, Limits::Source::job);
  limits.set("api", 2, Limits::Source::config);
  said("api", 9);
  limits.set("api", 3, Limits::Source::job);
  CHECK(limits.set_by_operator("api"));
  unsaid("api");
  CHECK(limits.spec("api")->permits == 2);
  limits.set("api", 3, Limits::Source::job);
  CHECK(limits.spec("api")->permits == 2);
  unsaid("api");
  CHECK(limits.spec("api")->permits == 2);

  said("typo", 4);
  unsaid("typo");
  CHECK_FALSE(limits.known("typo"));

  limits.set("tenant:*", 2, Limits::Source::config);
  said("tenant:acme", 5);
  unsaid("tenant:acme");
  CHECK(limits.spec("tenant:acme")->permits == 2);
}

TEST_CASE("a limit of no permits is waited for, and one that somebody waits for does not go away") {
  lab::VirtualClock clock;
  Limits limits(clock);
  limits.take({"few", {.permits = 0}});
  CHECK_NOTHROW(Limits::check("few", 1, limits.spec("few")));
  bool granted = false;
  limits.acquire({{"few", 1}}, "one", [&] { granted = true; });
  limits.take({"few", {}, true});
  CHECK(limits.known("few"));
  CHECK_FALSE(granted);
  limits.take({"few", {.permits = 1}});
  CHECK(granted);
}

TEST_CASE("random use never exceeds a limit and never leaves anybody waiting for free permits") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  lab::VirtualClock clock;
  Limits limits(clock);
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
      REQUIRE(view.used <= view.spec.permits);
    }
    if (out.empty()) REQUIRE(waiting.empty());
  }
}

TEST_CASE("a rate grants its burst at once and then as tokens come") {
  lab::VirtualClock clock;
  Limits limits(clock);
  limits.set("api", model::parse_limit("10/s burst 5").value(), Limits::Source::config);
  int granted = 0;
  for (int i = 0; i < 30; ++i)
    if (const auto ticket = limits.acquire({{"api", 1}}, "x", [&] { ++granted; }); !limits.waiting(ticket)) ++granted;
  CHECK(granted == 5);
  clock.advance(1001ms);
  CHECK(granted == 15);
  clock.advance(10s);
  CHECK(granted == 30);
  CHECK(limits.view()[0].rate == 10);
  SECTION("a person's change counts at once") {
    for (int i = 0; i < 1000; ++i) limits.acquire({{"api", 1}}, "x", [&] { ++granted; });
    granted = 0;
    limits.set("api", model::parse_limit("100/s").value(), Limits::Source::operator_);
    clock.advance(1s);
    CHECK(granted >= 100);
    CHECK(granted <= 106);
  }
  SECTION("what a call really cost is settled") {
    clock.advance(10s);
    const auto ticket = limits.acquire({{"api", 1}}, "x", [] {});
    limits.settle(ticket, "api", 25);
    limits.release(ticket);
    bool next = false;
    limits.acquire({{"api", 1}}, "x", [&] { next = true; });
    clock.advance(1990ms);
    CHECK_FALSE(next);
    clock.advance(200ms);
    CHECK(next);
  }
}

TEST_CASE("a semaphore and a rate are taken together or not at all") {
  lab::VirtualClock clock;
  Limits limits(clock);
  limits.set("slots", 1, Limits::Source::config);
  limits.set("api", model::parse_limit("1/s burst 1").value(), Limits::Source::config);
  const auto first = limits.acquire({{"slots", 1}, {"api", 1}}, "first", [] {});
  std::string order;
  Limits::Ticket both = limits.acquire({{"slots", 1}, {"api", 1}}, "both", [&] { order += "both "; });
  limits.release(first);
  CHECK(order.empty());
  CHECK(limits.view()[1].used == 0);  // no slot is held while the token is not there
  clock.advance(1001ms);
  CHECK(order == "both ");
  limits.release(both);
}

TEST_CASE("priority goes first, and who waits long enough goes before priority") {
  lab::VirtualClock clock;
  Limits limits(clock);
  limits.set("a", 1, Limits::Source::config);
  auto held = limits.acquire({{"a", 1}}, "held", [] {});
  std::vector<std::string> order;
  std::map<std::string, Limits::Ticket> tickets;
  const auto ask = [&](const std::string& who, int priority) {
    tickets[who] = limits.acquire({{"a", 1}}, who, [&order, who] { order.push_back(who); },
                                  {static_cast<std::uint64_t>(tickets.size() + 1), priority});
  };
  ask("old", 0);
  clock.advance(11min);
  ask("batch", 0);
  ask("urgent", 10);
  limits.release(held);
  while (order.size() < 3) limits.release(tickets.at(order.back()));
  CHECK(order == std::vector<std::string>{"old", "urgent", "batch"});
}

TEST_CASE("one run's thousand requests do not shut out another run") {
  lab::VirtualClock clock;
  Limits limits(clock);
  limits.set("a", 1, Limits::Source::config);
  auto held = limits.acquire({{"a", 1}}, "held", [] {});
  std::vector<std::uint64_t> order;
  std::deque<Limits::Ticket> running;
  const auto ask = [&](std::uint64_t owner) {
    auto ticket = std::make_shared<Limits::Ticket>(0);
    *ticket = limits.acquire({{"a", 1}}, "x",
                             [&order, &running, owner, ticket] {
                               order.push_back(owner);
                               running.push_back(*ticket);
                             },
                             {owner, 0});
  };
  for (int i = 0; i < 1000; ++i) ask(1);
  clock.advance(100ms);
  for (int i = 0; i < 50; ++i) ask(2);
  limits.release(held);
  while (order.size() < 150) {
    clock.advance(10ms);
    const auto ticket = running.front();
    running.pop_front();
    limits.release(ticket);
  }
  const auto others = std::count(order.begin(), order.begin() + 100, 2u);
  INFO("of the first 100 grants the second run had " << others);
  CHECK(others >= 25);
  CHECK(others <= 60);
}

TEST_CASE("the cost of a grant does not depend on how many wait") {
  const auto cost = [](int waiters) {
    lab::VirtualClock clock;
    Limits limits(clock);
    limits.set("a", 1, Limits::Source::config);
    std::deque<Limits::Ticket> running{limits.acquire({{"a", 1}}, "x", [] {})};
    for (int i = 0; i < waiters; ++i) {
      auto ticket = std::make_shared<Limits::Ticket>(0);
      *ticket = limits.acquire({{"a", 1}}, "x", [&running, ticket] { running.push_back(*ticket); },
                               {static_cast<std::uint64_t>(i % 7 + 1), 0});
    }
    constexpr int kGrants = 1000;
    const auto begin = base::thread_cpu_time();
    for (int i = 0; i < kGrants; ++i) {
      const auto ticket = running.front();
      running.pop_front();
      limits.release(ticket);
      // The number of those who wait stays the same.
      auto again = std::make_shared<Limits::Ticket>(0);
      *again = limits.acquire({{"a", 1}}, "x", [&running, again] { running.push_back(*again); },
                              {static_cast<std::uint64_t>(i % 7 + 1), 0});
    }
    return std::chrono::duration<double, std::micro>(base::thread_cpu_time() - begin).count() / kGrants;
  };
  cost(100);
  const double few = cost(100), many = cost(10'000);
  WARN("a grant costs " << few << " us with 100 waiting, " << many << " us with 10,000");
  CHECK(many < 10 * few + 20);
}

TEST_CASE("a waiter that goes away costs little, wherever it stands") {
  lab::VirtualClock clock;
  Limits limits(clock);
  limits.set("a", 1, Limits::Source::config);
  limits.acquire({{"a", 1}}, "x", [] {});
  std::vector<Limits::Ticket> waiting;
  for (int i = 0; i < 100'000; ++i) waiting.push_back(limits.acquire({{"a", 1}}, "x", [] {}));
  const auto begin = base::thread_cpu_time();
  for (auto ticket = waiting.rbegin(); ticket != waiting.rend(); ++ticket) limits.release(*ticket);
  CHECK(base::thread_cpu_time() - begin < 2s);
  CHECK(limits.view()[0].waiting == 0);
}

TEST_CASE("a key has the numbers of its template, from the first request to the last") {
  lab::VirtualClock clock;
  Limits limits(clock);
  limits.set("tenant:*", 2, Limits::Source::config);
  CHECK(limits.known("tenant:acme"));
  CHECK_FALSE(limits.known("tenant"));
  CHECK_THROWS_WITH(Limits::check("tenant:acme", 3, limits.spec("tenant:acme")),
                    Catch::Contains("asks for 3 permits of limit 'tenant:acme', which has 2"));
  const auto first = limits.acquire({{"tenant:acme", 2}}, "first", [] {});
  const auto other = limits.acquire({{"tenant:umbrella", 1}}, "other", [] {});
  CHECK_FALSE(limits.waiting(other));
  bool granted = false;
  const auto second = limits.acquire({{"tenant:acme", 1}}, "second", [&] { granted = true; });
  CHECK(limits.waiting(second));
  const auto views = limits.view();
  REQUIRE(views.size() == 3);
  CHECK(views[0].name == "tenant:*");
  CHECK(views[0].keys == 2);
  CHECK(views[1].name == "tenant:acme");
  CHECK(views[1].key_of == "tenant:*");
  CHECK(views[1].holders == std::vector<std::pair<std::string, int>>{{"first", 2}});
  SECTION("a change of the template counts for all of them") {
    limits.set("tenant:*", 3, Limits::Source::operator_);
    CHECK(granted);
  }
  SECTION("a change of one key is its own") {
    limits.set("tenant:acme", 5, Limits::Source::operator_);
    CHECK(granted);
    limits.set("tenant:*", 1, Limits::Source::operator_);
    CHECK(limits.spec("tenant:acme")->permits == 5);
    CHECK(limits.spec("tenant:umbrella")->permits == 1);
  }
  SECTION("it is forgotten when nobody has or wants it") {
    limits.release(first);
    limits.release(second);
    limits.release(other);
    clock.advance(10s);
    CHECK(limits.view().size() == 1);
  }
}

TEST_CASE("keys of a rate are remembered until their tokens are there again, and a hundred thousand cost no memory") {
  lab::VirtualClock clock;
  Limits limits(clock);
  limits.set("user:*", model::parse_limit("1/10s burst 1").value(), Limits::Source::config);
  for (int i = 0; i < 100'000; ++i) {
    const auto ticket = limits.acquire({{"user:" + std::to_string(i), 1}}, "x", [] {});
    REQUIRE_FALSE(limits.waiting(ticket));
    limits.release(ticket);
    if (i % 1000 == 0) clock.advance(1s);
  }
  const auto again = limits.acquire({{"user:99999", 1}}, "x", [] {});
  CHECK(limits.waiting(again));
  limits.release(again);
  CHECK(limits.view().size() < 20'000);
  clock.advance(1min);
  CHECK(limits.view().size() == 1);
}

TEST_CASE("what the other side says is left is spread over the time until it counts anew") {
  lab::VirtualClock clock;
  Limits limits(clock);
  limits.set("api", model::parse_limit("100/s burst 1").value(), Limits::Source::config);
  int granted = 0;
  std::function<void()> call = [&] {
    auto ticket = std::make_shared<Limits::Ticket>(0);
    const auto answered = [&, ticket] {
      ++granted;
      if (granted == 1) limits.quota(*ticket, "api", {.remaining = 20, .reset = 10s});
      limits.succeeded(*ticket);
      limits.release(*ticket);
      call();
    };
    *ticket = limits.acquire({{"api", 1}}, "x", [&clock, answered] { clock.post(answered); });
    if (!limits.waiting(*ticket)) clock.post(answered);
  };
  call();
  clock.advance(5s);
  CHECK(granted >= 9);
  CHECK(granted <= 13);
  CHECK(limits.view()[0].rate == Approx(2));
  CHECK_THAT(limits.view()[0].why, Catch::Contains("the other side said how much it lets through"));
  CHECK(limits.view()[0].until > 4s);
  clock.advance(5s);
  CHECK(granted <= 24);
  clock.advance(1s);
  CHECK(granted >= 80);
  SECTION("with nothing left it waits") {
    const auto ticket = limits.acquire({{"api", 1}}, "x", [] {});
    clock.advance(1s);
    limits.quota(ticket, "", {.remaining = 0, .reset = 30s});
    granted = 2;
    clock.advance(29s);
    CHECK(granted <= 3);
    clock.advance(2s);
    CHECK(granted > 50);
  }
}

TEST_CASE("what a step lacks costs the same beside very many limits") {
  const auto cost_beside = [](int others) {
    lab::VirtualClock clock;
    Limits limits(clock);
    for (int i = 0; i < others; ++i) limits.set("other" + std::to_string(i), 1, Limits::Source::config);
    limits.set("b", 2, Limits::Source::config);
    limits.set("a", 1, Limits::Source::config);
    const auto first = limits.acquire({{"a", 1}, {"b", 1}}, "first", [] {});
    const auto second = limits.acquire({{"b", 1}, {"a", 1}}, "second", [] {});
    CHECK(limits.missing(first).empty());
    const auto lacks = limits.missing(second);
    REQUIRE(lacks.size() == 2);
    CHECK(lacks[0].name == "a");
    CHECK(lacks[0].used == 1);
    CHECK(lacks[0].holders == std::vector<std::pair<std::string, int>>{{"first", 1}});
    CHECK(lacks[1].name == "b");
    auto least = std::chrono::nanoseconds::max();
    for (int round = 0; round < 10; ++round) {
      const auto start = base::thread_cpu_time();
      for (int i = 0; i < 100; ++i) limits.missing(second);
      least = std::min(least, base::thread_cpu_time() - start);
    }
    return least;
  };
  const auto few = cost_beside(10), many = cost_beside(20'000);
  CHECK(many < 20 * few);
}
