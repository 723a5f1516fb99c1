// Goal: a rate learns what a provider really allows: at least 95 % of it is used and under 0.5 % of the calls are
// refused, 30 s after each change, however long calls take. Method: a provider with a hidden token bucket that changes,
// calls that take as long as real ones and not always the same, a stepped clock.
#include <catch2/catch.hpp>

#include <deque>
#include <functional>
#include <random>

#include "engine/limits.hpp"
#include "lab/virtual_clock.hpp"
#include "support/engine_world.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using engine::Limits;

namespace {

// Allows `rate` calls per second on the whole and a part of that at once; who wants more is told to wait for a second.
class Provider {
 public:
  explicit Provider(engine::Clock& clock) : clock_(clock), last_(clock.tick()) {}
  double rate = 100;
  double at_once = 0.1;

  bool call() {
    const std::chrono::duration<double> passed = clock_.tick() - last_;
    last_ = clock_.tick();
    tokens_ = std::min(std::max(1.0, rate * at_once), tokens_ + passed.count() * rate);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  engine::Clock& clock_;
  base::Tick last_;
  double tokens_ = 1;
};

// As many callers as it takes, each calling again when it was answered.
struct World {
  lab::VirtualClock clock;
  Limits limits{clock};
  Provider provider{clock};
  int answered = 0, refused = 0;
  base::Duration takes = 50ms;
  double jitter = 0;
  std::mt19937 random{1};

  void caller() {
    auto ticket = std::make_shared<Limits::Ticket>(0);
    const auto go = [this, ticket] { call(*ticket); };
    *ticket = limits.acquire({{"api", 1}}, "caller", [this, go] { clock.post(go); });
    if (!limits.waiting(*ticket)) clock.post(go);
  }
  void call(Limits::Ticket ticket) {
    const bool good = provider.call();
    const double part = 1 + jitter * std::uniform_real_distribution<double>(-1, 1)(random);
    clock.at(clock.tick() + std::chrono::duration_cast<base::Duration>(takes * part), [this, ticket, good] {
      good ? limits.succeeded(ticket) : limits.refused(ticket, 1s);
      ++(good ? answered : refused);
      limits.release(ticket);
      caller();
    });
  }
};

}  // namespace

TEST_CASE("a rate finds a hidden limit and follows it when it changes") {
  World world;
  world.limits.set("api", model::parse_limit("1000/s").value(), Limits::Source::config);
  for (int i = 0; i < 200; ++i) world.caller();
  for (const double hidden : {100.0, 50.0, 120.0, 400.0, 90.0}) {
    world.provider.rate = hidden;
    world.clock.advance(30s);
    world.answered = world.refused = 0;
    world.clock.advance(60s);
    const double used = world.answered / (60 * hidden),
                 refused = world.refused / double(world.answered + world.refused);
    WARN("of " << hidden << "/s " << 100 * used << " % used, " << 100 * refused << " % refused");
    CHECK(used >= 0.95);
    CHECK(refused < 0.005);
    CHECK(world.limits.view()[0].rate < hidden * 1.25);  // it feels its way up now and then
  }
  SECTION("and comes back to what is configured, never more") {
    world.provider.rate = 1e6;
    world.limits.set("api", model::parse_limit("200/s").value(), Limits::Source::operator_);
    world.clock.advance(60s);
    world.answered = 0;
    world.clock.advance(10s);
    CHECK(world.limits.view()[0].rate == 200);
    CHECK(world.answered <= 2002);
    CHECK(world.answered >= 1980);
  }
}

TEST_CASE("a rate learns from calls that take long, and not always the same time") {
  const std::vector<std::vector<double>> limits{{100, 50, 400, 90}, {1000, 300, 250}};
  for (const auto takes : {20ms, 300ms})
    for (const double at_once : {0.03, 0.1})
      for (const double jitter : {0.0, 0.3})
        for (const auto& hidden_limits : limits) {
          World world;
          world.takes = takes;
          world.jitter = jitter;
          world.provider.at_once = at_once;
          world.limits.set("api", model::parse_limit("2000/s").value(), Limits::Source::config);
          for (int i = 0; i < 1000; ++i) world.caller();
          for (const double hidden : hidden_limits) {
            world.provider.rate = hidden;
            world.clock.advance(30s);
            world.answered = world.refused = 0;
            world.clock.advance(60s);
            const double used = world.answered / (60 * hidden),
                         refused = world.refused / double(world.answered + world.refused);
            INFO(takes.count() << " ms, jitter " << jitter << ", " << at_once << " s at once, of " << hidden << "/s "
                               << 100 * used << " % used, " << 100 * refused << " % refused");
            CHECK(used >= 0.95);
            CHECK(refused < 0.005);
          }
        }
}

TEST_CASE("a rate is not lost to a burst after a silence") {
  for (const auto silence : {100ms, 500ms, 5000ms})
    for (const int before : {0, 3}) {
      World world;
      world.takes = 300ms;
      world.limits.set("api", model::parse_limit("2000/s").value(), Limits::Source::config);
      for (int i = 0; i < before; ++i) {
        const auto ticket = world.limits.acquire({{"api", 1}}, "early", [] {});
        world.limits.succeeded(ticket);
        world.limits.release(ticket);
      }
      world.clock.advance(silence);
      for (int i = 0; i < 100; ++i) world.caller();
      world.clock.advance(30s);
      world.answered = world.refused = 0;
      world.clock.advance(30s);
      INFO("after " << silence.count() << " ms, " << before << " calls before: " << world.answered << " of 3000 answered, "
                    << world.refused << " refused");
      CHECK(world.answered >= 0.95 * 30 * 100);
      CHECK(world.refused <= 0.005 * 30 * 100);
    }
}

TEST_CASE("a refusal costs no more than it has to where calls are few") {
  World world;
  world.takes = 300ms;
  world.provider.rate = 5;
  world.limits.set("api", model::parse_limit("20/s").value(), Limits::Source::config);
  for (int i = 0; i < 100; ++i) world.caller();
  world.clock.advance(2min);
  world.answered = world.refused = 0;
  world.clock.advance(20min);
  CHECK(world.answered >= 0.9 * 5 * 1200);
  CHECK(world.refused < 0.006 * 5 * 1200);
}

TEST_CASE("who insists is left alone for as long as it asks") {
  World world;
  world.provider.rate = 1e-3;
  world.limits.set("api", model::parse_limit("100/s").value(), Limits::Source::config);
  for (int i = 0; i < 100; ++i) world.caller();
  world.clock.advance(10s);
  CHECK(world.refused < 200);
  CHECK(world.limits.view()[0].paused > 0s);
}

TEST_CASE("limits are read from text and written back") {
  for (const auto* text : {"4", "0", "10/s burst 20", "600/h burst 1", "1/s burst 1", "3/7s burst 2"}) {
    INFO(text);
    const auto spec = model::parse_limit(text);
    REQUIRE(spec);
    const auto again = model::parse_limit(model::format_limit(*spec));
    REQUIRE(again);
    CHECK(again->rate == Approx(spec->rate).epsilon(1e-4));
    CHECK(again->permits == spec->permits);
  }
  CHECK(model::parse_limit("10/s")->permits == 10);
  CHECK(model::parse_limit("1/10s")->rate == Approx(0.1));
  for (const auto* text : {"", "x", "-1", "1.5", "10/", "/s", "0/s", "10/0s", "10/s burst", "10/s burst 0",
                           "10/s burst x", "10 / s", "99999999999"}) {
    INFO(text);
    CHECK_FALSE(model::parse_limit(text));
  }
}

TEST_CASE("steps of a job keep its rate, and refusals of a provider slow it down for all to see") {
  support::EngineWorld world;
  int refusals = 0;
  world.plugin("api", {[&](const engine::StepCall&) -> engine::StepOutcome {
                         if (refusals-- > 0) return engine::StepFailed{{"rate_limited", "enough", true, 1s}};
                         return support::succeed("1");
                       },
                       [](const engine::StepCall&) { return 10ms; }});
  constexpr auto kJob = R"(
job: calls
limits: {api: 10/s burst 1}
stages:
  each: {foreach: "${ range(1, 100) }", uses: api, limits: {api: 1}, retry: {attempts: 5, backoff: 1s}}
result: "${ stages.each.succeeded }"
)";
  const auto run = world.submit(kJob);
  world.clock.advance(5s);
  CHECK(world.runner->sent.size() >= 50);
  CHECK(world.runner->sent.size() <= 52);
  CHECK(world.engine->limits().at(0).at("rate") == 10.0);
  refusals = 1;
  world.clock.advance(300ms);
  CHECK(world.engine->limits().at(0).at("rate").as_double() < 10);
  std::optional<base::json::object> why;
  world.engine->why(run, [&](engine::Result<base::json::object> answer) { why = *answer; });
  CHECK_THAT(std::string(why->at("reasons").at(0).at("text").as_string()),
             Catch::Contains("the rate of 10/s burst 1 is used up; after refusals it is"));
  world.clock.advance(60s);
  CHECK(world.result(run) == "100");
}
