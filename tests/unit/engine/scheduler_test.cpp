// Goal: a fire time leads to one run or to a recorded reason, over restarts, missed times, overlaps and other nodes.
// Method: an engine with a stepped clock on a memory store, and job files with schedules.
#include "engine/scheduler.hpp"

#include <catch2/catch.hpp>

#include <fstream>

#include "support/cluster_world.hpp"
#include "support/engine_world.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::EngineWorld;
namespace json = base::json;

namespace {

constexpr auto kStages = R"(
stages:
  work: {uses: work}
result: "${ stages.work }"
)";

// A world whose one job has this schedule; its step takes `takes`.
struct Scheduled {
  explicit Scheduled(const std::string& schedule, base::Duration takes = 0s) {
    world = std::make_unique<EngineWorld>();
    world->job("tick", "job: tick\nschedule: " + schedule + kStages);
    world->engine->schedules().reload();
    world->plugin("work", {[](const engine::StepCall&) { return support::succeed("1"); },
                           [takes](const engine::StepCall&) { return takes; }});
    world->clock.run_posted();
  }

  // The instants that led to runs, as "hh:mm".
  std::vector<std::string> fired() const {
    std::vector<std::string> out;
    for (const auto& [key, run] : world->memory.fires) out.push_back(base::format_instant(key.second).substr(11, 5));
    return out;
  }
  std::vector<std::string> skipped() const {
    std::vector<std::string> out;
    for (const auto& [key, why] : world->memory.fires_skipped)
      out.push_back(base::format_instant(key.second).substr(11, 5) + " " + why);
    return out;
  }
  // The daemon is away for a while.
  void away(base::Duration time) {
    std::mt19937_64 random(1);
    world->crash(random);
    world->clock.advance(time);
    world->start();
    world->clock.run_posted();
  }
  engine::Scheduler& schedules() { return world->engine->schedules(); }

  std::unique_ptr<EngineWorld> world;  // the clock begins at 2023-11-14T22:13:20Z
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a schedule submits a run at each of its fire times") {
  Scheduled given("{every: 10m}");
  given.world->clock.advance(30min);
  CHECK(given.fired() == Texts{"22:20", "22:30", "22:40"});
  CHECK(given.skipped().empty());
  for (const auto& [key, run] : given.world->memory.fires) {
    CHECK(given.world->memory.runs.at(run).done);
    CHECK(given.world->memory.runs.at(run).submitted.submitted_by == "schedule tick");
  }
  SECTION("and goes on after a restart without one twice") {
    given.away(30s);
    given.world->clock.advance(10min);
    CHECK(given.fired() == Texts{"22:20", "22:30", "22:40", "22:50"});
  }
}

TEST_CASE("what was missed is made up for as the schedule says, or recorded") {
  SECTION("the last one") {
    Scheduled given("{every: 10m, missed: last}");
    given.away(30min);
    CHECK(given.fired() == Texts{"22:40"});
    REQUIRE(given.skipped().size() == 2);
    CHECK_THAT(given.skipped().front(), Catch::Contains("22:20 missed"));
  }
  SECTION("all within a window") {
    Scheduled given("{every: 10m, missed: all, missed_within: 15m, overlap: queue}");
    given.away(30min);
    CHECK(given.fired() == Texts{"22:30", "22:40"});
    CHECK_THAT(given.skipped().at(0), Catch::Contains("missed_within: 15m"));
  }
  SECTION("none") {
    Scheduled given("{every: 10m, missed: none}");
    given.away(30min);
    CHECK(given.fired().empty());
    CHECK(given.skipped().size() == 3);
    given.world->clock.advance(10min);
    CHECK(given.fired() == Texts{"22:50"});
  }
  SECTION("a short absence misses nothing") {
    Scheduled given("{every: 10m, missed: none}");
    given.world->clock.advance(6min);
    given.away(70s);
    CHECK(given.fired() == Texts{"22:20"});
  }
  SECTION("very many are not recorded one by one") {
    Scheduled given("{every: 1s, missed: none}");
    given.away(5h);
    CHECK(given.fired().size() <= 61);
    CHECK(given.world->memory.fires_skipped.size() <= 1000);
    CHECK_THAT(given.skipped().front(), Catch::Contains("earlier fire times"));
  }
}

TEST_CASE("a fire time that another node was faster to take leads to no second run") {
  Scheduled given("{every: 10m}");
  const auto instant = base::parse_instant("2023-11-14T22:20:00Z").value();
  given.world->memory.fires[{"tick", instant}] = model::RunId(4711);
  given.world->memory.runs[model::RunId(4711)].done.emplace();
  given.world->clock.advance(10min);
  CHECK(given.fired() == Texts{"22:20"});
  CHECK(given.world->memory.runs.size() == 1);
  CHECK(given.schedules().view().at(0).at("last") == "another node: run 4711");
}

TEST_CASE("a fire time that another node decided to skip leads to no run, until it is made up for") {
  Scheduled given(GENERATE("{every: 10m}", "{every: 10m, overlap: skip}"));
  const auto instant = base::parse_instant("2023-11-14T22:20:00Z").value();
  given.world->memory.fires_skipped[{"tick", instant}] = "overlap";
  given.world->clock.advance(10min);
  CHECK(given.fired().empty());
  CHECK(given.world->memory.runs.empty());
  CHECK(given.schedules().view().at(0).at("last") == "another node: overlap");
  given.schedules().backfill("tick", instant - 1s, instant, {}, [](const auto& done) {
    REQUIRE(done);
    CHECK(done->runs.size() == 1);
  });
  given.world->clock.advance(1s);
  CHECK(given.fired() == Texts{"22:20"});
  CHECK(given.skipped().empty());
}

TEST_CASE("overlap") {
  SECTION("skip records why") {
    Scheduled given("{every: 10m, overlap: skip}", 25min);
    given.world->clock.advance(50min);
    CHECK(given.fired() == Texts{"22:20", "22:50"});
    CHECK_THAT(given.skipped().at(0), Catch::Contains("22:30 run 1 of the schedule had not ended"));
  }
  SECTION("queue lets one run wait for the other, also over a restart") {
    Scheduled given("{every: 10m, overlap: queue}", 15min);
    given.world->clock.advance(20min);
    CHECK(given.fired() == Texts{"22:20", "22:30"});
    CHECK(given.world->runner->sent.size() == 1);
    std::optional<json::object> why;
    given.world->engine->why(model::RunId(2), [&](engine::Result<json::object> answer) { why = *answer; });
    given.world->clock.run_posted();
    REQUIRE(why);
    CHECK(why->at("state") == "queued");
    CHECK_THAT(std::string(why->at("reasons").at(0).at("text").as_string()),
               Catch::Contains("'schedule:tick': 1 of 1 places are taken by run 1 (overlap of the schedule)"));
    given.away(10s);
    CHECK(given.world->runner->sent.size() == 1);
    CHECK(given.world->runner->sent.front().run == model::RunId(1));
    given.world->clock.advance(16min);
    CHECK(given.world->runner->sent.size() == 2);
    CHECK(given.world->memory.runs.at(model::RunId(1)).done);
  }
  SECTION("cancel_older") {
    Scheduled given("{every: 10m, overlap: cancel_older}", 15min);
    given.world->clock.advance(20min);
    CHECK(given.world->memory.runs.at(model::RunId(1)).done->state == model::RunState::cancelled);
    CHECK(given.world->runner->sent.size() == 2);
  }
  SECTION("allow") {
    Scheduled given("{every: 10m, overlap: allow}", 25min);
    given.world->clock.advance(31min);
    CHECK(given.world->runner->sent.size() == 3);
    CHECK(given.world->runner->in_flight() == 3);
  }
}

TEST_CASE("people steer schedules") {
  Scheduled given("{every: 10m, jitter: 5m}");
  std::optional<base::Error> error;
  const auto nothing = [&](const engine::Result<engine::Nothing>& answer) {
    if (!answer) error = answer.error();
  };
  SECTION("jitter moves all fires by the same time") {
    const auto next = base::parse_instant(given.schedules().view().at(0).at("next").as_string()).value();
    CHECK(next >= base::parse_instant("2023-11-14T22:20:00Z").value());
    CHECK(next < base::parse_instant("2023-11-14T22:25:00Z").value());
    given.world->clock.advance(next - given.world->clock.now() - 1s);
    CHECK(given.fired().empty());
    given.world->clock.advance(1s);
    CHECK(given.fired() == Texts{"22:20"});
  }
  SECTION("pause, also over a restart, and resume") {
    given.schedules().pause("tick", true, {}, nothing);
    given.world->clock.run_posted();
    given.away(1s);
    given.world->clock.advance(15min);
    CHECK(given.fired().empty());
    CHECK_THAT(given.skipped().at(0), Catch::Contains("paused"));
    given.schedules().pause("tick", false, {}, nothing);
    given.world->clock.advance(10min);
    CHECK(given.fired().size() == 1);
    CHECK(given.world->memory.audit.size() == 2);
  }
  SECTION("what an earlier look at the store saw undoes no change") {
    given.world->store->load_hops = 3;
    given.schedules().refresh();
    given.world->clock.run_one();
    given.schedules().pause("tick", true, {}, nothing);
    given.world->clock.run_posted();
    CHECK(given.schedules().view().at(0).at("paused") == true);
  }
  SECTION("trigger") {
    model::RunId run{};
    given.schedules().trigger("tick", {}, [&](engine::Result<model::RunId> answer) { run = *answer; });
    given.world->run_to_end(20);
    CHECK(given.world->memory.runs.at(run).done);
  }
  SECTION("backfill submits what led to no run, once") {
    for (const std::size_t expected : {6u, 0u}) {
      std::optional<engine::Scheduler::Backfilled> done;
      given.schedules().backfill("tick", given.world->clock.now() - 1h, base::Instant::max(), {},
                                 [&](auto answer) { done = *answer; });
      given.world->clock.run_posted();
      REQUIRE(done);
      CHECK(done->runs.size() == expected);
      CHECK(done->existing == 6 - expected);
    }
  }
  SECTION("an operator's own schedule lives over restarts until it is removed") {
    model::Schedule own{.name = "own", .job = "tick", .timing = {model::Timing::Kind::at, "2023-11-14T22:30:00Z"}};
    given.schedules().set(own, {}, nothing);
    given.world->clock.run_posted();
    given.away(1s);
    given.world->clock.advance(17min);
    CHECK(given.world->memory.fires.contains({"own", base::parse_instant("2023-11-14T22:30:00Z").value()}));
    given.schedules().remove("own", {}, nothing);
    given.world->clock.run_posted();
    CHECK(given.schedules().view().size() == 1);
    given.away(1s);
    CHECK(given.schedules().view().size() == 1);
  }
  SECTION("refusals") {
    const model::Timing daily{model::Timing::Kind::cron, "@daily"};
    CHECK_THROWS_AS(given.schedules().set({.name = "tick", .job = "tick", .timing = daily}, {}, nothing), base::Error);
    CHECK_THROWS_AS(given.schedules().set({.name = "x", .job = "nope", .timing = daily}, {}, nothing), base::Error);
    CHECK_THROWS_AS(given.schedules().set(
                        {.name = "x", .job = "tick", .timing = {model::Timing::Kind::cron, "0 0 30 2 *"}}, {}, nothing),
                    base::Error);
    CHECK_THROWS_AS(
        given.schedules().set(
            {.name = "x", .job = "tick", .timing = {model::Timing::Kind::at, "2023-11-14T22:00:00Z"}}, {}, nothing),
        base::Error);
    CHECK_THROWS_AS(given.schedules().remove("tick", {}, nothing), base::Error);
    CHECK_THROWS_AS(given.schedules().pause("tock", true, {}, nothing), base::Error);
    CHECK_THROWS_AS(given.schedules().backfill("tick", base::Instant{}, base::Instant::max(), {}, [](auto) {}),
                    base::Error);
  }
  CHECK_FALSE(error);
}

TEST_CASE("a changed job file changes its schedule from then on") {
  Scheduled given("{every: 10m}");
  given.world->job(
      "tick", std::string("job: tick\nschedule:\n- {name: a, every: 7m}\n- {name: b, cron: '30 22 * * *'}") + kStages);
  given.schedules().reload();
  given.world->clock.advance(20min);
  std::vector<std::string> names;
  for (const auto& [key, run] : given.world->memory.fires) names.push_back(key.first);
  CHECK(names == Texts{"tick/a", "tick/a", "tick/b"});
}

TEST_CASE("a submit that is refused leaves a record") {
  Scheduled given("{every: 10m, params: {unknown: 1}}");
  given.world->clock.advance(10min);
  CHECK(given.fired().empty());
  CHECK_THAT(given.skipped().at(0), Catch::Contains("the submit was refused"));
}

namespace {

// Two nodes that know the same job; its schedule is an operator's, set at the first.
struct TwoNodes : support::ClusterWorld {
  explicit TwoNodes(const json::object& schedule, base::Duration takes = 0s) : ClusterWorld(2, {}) {
    plugin("work", {[](const engine::StepCall&) { return support::succeed("1"); },
                    [takes](const engine::StepCall&) { return takes; }});
    std::ofstream(jobs().path() / "tick.yaml") << "job: tick" << kStages;
    library().reload();
    clock.advance(30s);  // each knows of the other
    nodes.at(1).engine->schedules().set(model::schedule_from_json(schedule), {},
                                        [](const engine::Result<engine::Nothing>& set) { CHECK(set); });
    clock.advance(1s);
  }
};

}  // namespace

TEST_CASE("a node that lacks what the job needs leaves a fire time to those that have it") {
  TwoNodes world({{"name", "often"}, {"job", "tick"}, {"every", "10m"}});
  const auto lacking = GENERATE(1, 2);
  world.nodes.at(lacking).runner->plugins.erase("work");
  SECTION("which submit the run") {
    world.clock.advance(11min);
    REQUIRE(world.memory.fires.size() == 1);
    CHECK(world.result(world.memory.fires.begin()->second) == "1");
    CHECK(world.memory.fires_skipped.empty());
    const auto run = model::text(world.memory.fires.begin()->second);
    CHECK(world.nodes.at(lacking).engine->schedules().view().at(0).at("last").as_string() == "another node: run " + run);
  }
  SECTION("and records that there is no run when nobody has") {
    world.nodes.at(3 - lacking).runner->plugins.erase("work");
    world.clock.advance(7min);
    CHECK(world.memory.fires.empty());
    REQUIRE(world.memory.fires_skipped.size() == 1);
    CHECK_THAT(world.memory.fires_skipped.begin()->second, Catch::Contains("the submit was refused"));
  }
}

TEST_CASE("the runs of a schedule wait for each other wherever they are") {
  TwoNodes world({{"name", "often"}, {"job", "tick"}, {"every", "10m"}, {"overlap", "queue"}}, 15min);
  // Each moment is looked at.
  std::size_t at_once = 0;
  const auto pass = [&](base::Duration time) {
    for (const auto end = world.clock.tick() + time; world.clock.tick() < end;) {
      if (!world.clock.run_one()) world.clock.advance(100ms);
      at_once = std::max(at_once, world.in_flight());
    }
  };
  const auto owner = [&](std::size_t fire) {
    return world.memory.runs.at(std::next(world.memory.fires.begin(), fire)->second).owner;
  };
  const auto until = [&](std::string_view instant) { pass(base::parse_instant(instant).value() - world.clock.now()); };
  until("2023-11-14T22:20:05Z");
  REQUIRE(world.memory.fires.size() == 1);
  // The next fire time is another node's.
  until("2023-11-14T22:29:59Z");
  world.nodes.at(owner(0)).clock->pause();
  pass(2s);
  world.nodes.at(owner(0)).clock->go_on();
  pass(1s);
  REQUIRE(world.memory.fires.size() == 2);
  REQUIRE(owner(0) != owner(1));
  // Also when a node begins anew.
  const auto begins = GENERATE(std::optional<std::size_t>(), std::optional<std::size_t>(0), std::optional<std::size_t>(1));
  if (begins) {
    std::mt19937_64 random(1);
    const int node = owner(*begins);
    world.end(node, random);
    world.start(node);
  }
  until("2023-11-14T22:39:00Z");
  CHECK(at_once == 1);
  until("2023-11-14T23:05:00Z");
  CHECK(at_once == 1);
  for (std::size_t fire = 0; fire < 2; ++fire)
    CHECK(world.result(std::next(world.memory.fires.begin(), fire)->second) == "1");
  CHECK(world.memory.faults.empty());
}

TEST_CASE("fire times that are left to other nodes hold up none that follow") {
  TwoNodes world({{"name", "often"}, {"job", "tick"}, {"every", "1s"}, {"overlap", "allow"}});
  for (auto& [id, node] : world.nodes) node.runner->plugins.erase("work");
  world.clock.advance(1min);
  CHECK(world.memory.fires_skipped.size() >= 38);
}

TEST_CASE("a schedule whose look into the store was refused fires once it is answered") {
  Scheduled given("{every: 10m}");
  given.world->store->refused_looks = 3;
  given.world->clock.advance(8min);
  CHECK(given.fired() == Texts{"22:20"});
  given.world->clock.advance(22min);
  CHECK(given.fired() == Texts{"22:20", "22:30", "22:40"});
}

TEST_CASE("a paused schedule is paused still when its file comes back, also in the next life") {
  Scheduled given("{every: 10m}");
  given.schedules().pause("tick", true, {}, [](const engine::Result<engine::Nothing>& done) { REQUIRE(done); });
  given.world->clock.run_posted();
  const auto file = given.world->library().look_up("tick")->file;
  const auto hidden = file + ".hidden";
  SECTION("in one life") {
    std::filesystem::rename(file, hidden);
    given.world->library().reload();
    given.schedules().reload();
    std::filesystem::rename(hidden, file);
    REQUIRE(given.world->library().look_up("tick") == nullptr);
  }
  SECTION("in the next") {
    std::filesystem::rename(file, hidden);
    given.world->library().reload();
    given.away(1min);
    std::filesystem::rename(hidden, file);
    REQUIRE(given.world->library().look_up("tick") == nullptr);
  }
  given.world->library().reload();
  given.schedules().reload();
  given.world->clock.advance(1h);
  CHECK(given.fired().empty());
  CHECK(given.schedules().view().at(0).at("paused") == true);
}
