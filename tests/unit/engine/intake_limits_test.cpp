// Goal: no job has more of a limit than its file says, whoever else declares it, and what is refused changes nothing; a
// problem is told where it stands in the file. Method: the engine's world, in which calls take as long as a test wants.
#include <catch2/catch.hpp>

#include "support/engine_world.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::EngineWorld;

namespace {

// Each call takes ten seconds, one of a stage `slow` an hour.
class Callers : public EngineWorld {
 public:
  Callers() {
    plugin("api", {[](const engine::StepCall&) { return support::succeed("1"); },
                   [](const engine::StepCall& call) -> base::Duration { return call.path == "slow" ? 3600s : 10s; }});
  }

  std::int64_t permits(const std::string& limit) const {
    for (const auto& one : engine->limits())
      if (one.at("name").as_string() == limit) return one.at("permits").to_number<std::int64_t>();
    return -1;
  }
  std::string why(model::RunId run) {
    std::string text;
    engine->why(run, [&](engine::Result<base::json::object> answer) { text = base::json::serialize(*answer); });
    clock.run_posted();
    return text;
  }
  void submit_named(const std::string& name) {
    std::string error = "no answer";
    engine->submit({.job = name}, {}, [&](const engine::Result<engine::SubmitReceipt>& receipt) {
      error = receipt ? "" : receipt.error().what();
    });
    clock.run_posted();
    REQUIRE(error.empty());
  }
};

// A job that declares the limit `zz` and whose stage takes of it, as often as it has items.
std::string job(const std::string& name, int permits, int takes, int items = 1, const std::string& stage = "each") {
  const auto text = [](int number) { return std::to_string(number); };
  return "job: " + name + "\nparams: {n: {type: integer, default: 1}}\nlimits: {zz: " + text(permits) +
         "}\nstages:\n  " + stage + ": {" + (items > 1 ? "foreach: \"${ range(1, " + text(items) + ") }\", " : "") +
         "uses: api, limits: {zz: " + text(takes) + "}}\n";
}

}  // namespace

TEST_CASE("a submit that is refused changes no limit") {
  Callers world;
  world.submit(job("la", 1, 1, 3));
  CHECK_THROWS_WITH(world.submit(job("lb", 5, 1), {{"n", "many"}}), Catch::Contains("whole number"));
  CHECK(world.permits("zz") == 1);
  world.engine->submit_many({.text = job("lb", 5, 1), .file = "lb.yaml"}, {{{"n", 1}}, {{"n", "many"}}}, {},
                            [](const engine::Result<std::vector<model::RunId>>& runs) { CHECK_FALSE(runs); });
  world.clock.run_posted();
  CHECK(world.permits("zz") == 1);
  CHECK_THROWS_WITH(world.submit(job("lb", 5, 6)), Catch::Contains("unknown") || Catch::Contains("asks for 6 permits"));
  CHECK(world.permits("zz") == 1);
  CHECK_THROWS(world.submit(job("new", 5, 1) + "  other: {uses: nobody}\n"));
  CHECK(world.permits("zz") == 1);
}

TEST_CASE("of what jobs declare the smallest number counts, for as long as the job has runs") {
  Callers world;
  const auto first = world.submit(job("la", 1, 1));
  const auto second = world.submit(job("lb", 5, 1, 5));
  CHECK(world.permits("zz") == 1);
  CHECK(world.runner->in_flight() == 1);
  world.clock.advance(11s);
  REQUIRE(world.run(first).done);
  CHECK(world.permits("zz") == 5);
  CHECK(world.runner->in_flight() == 5);
  // The other way round: what runs goes on, and nothing more begins until there is room for the smaller number.
  const auto third = world.submit(job("la", 1, 1));
  CHECK(world.permits("zz") == 1);
  world.clock.advance(10s);
  CHECK(world.run(second).done);
  CHECK(world.runner->in_flight() == 1);
  world.run_to_end();
  CHECK(world.run(third).done);
  CHECK_THROWS_WITH((world.submit(job("la", 1, 1)), world.submit(job("lb", 5, 3))),
                    Catch::Contains("asks for 3 permits of limit 'zz', which has 1"));
}

TEST_CASE("a job that was edited has its new number at once, also for what it asks") {
  Callers world;
  world.submit(job("la", 1, 1));
  world.submit(job("la", 8, 5));
  CHECK(world.permits("zz") == 8);
  world.submit(job("la", 2, 1));
  CHECK(world.permits("zz") == 2);
}

TEST_CASE("a restart leaves a limit what it was") {
  Callers world;
  world.job("la", job("la", 1, 1, 1, "slow"));
  world.submit_named("la");
  world.job("la", job("la", 4, 1));
  world.submit_named("la");
  world.submit(job("lb", 9, 1, 1, "slow"));
  world.clock.advance(20s);
  CHECK(world.done() == 1);
  CHECK(world.permits("zz") == 4);
  std::mt19937_64 random(1);
  world.crash(random);
  world.start();
  world.clock.advance(1s);
  CHECK(world.permits("zz") == 4);
}

TEST_CASE("why says who needs more than there is, to him and to those behind") {
  Callers world;
  world.submit(job("la", 5, 5));
  const auto large = world.submit(job("la", 5, 5));
  const auto small = world.submit(job("la", 5, 1));
  world.engine->set_limit("zz", model::LimitSpec{.permits = 2}, {}, [](const engine::Result<engine::Nothing>&) {});
  world.clock.run_posted();
  CHECK_THAT(world.why(large),
             Catch::Contains("it needs 5 of 2 permits and can never start; raise the limit (godwit limit set zz 5)"));
  CHECK_THAT(world.why(small), Catch::Contains("2/each, which came before it, needs 5 of 2 permits"));
}

TEST_CASE("what is wrong with a stage's arguments and limits is told where it stands") {
  Callers world;
  auto plugin = world.plugins.at("api");
  plugin.schema = base::parse_json(R"({"properties": {"argv": {"type": "array", "items": {"type": "string"}}},
                                       "required": ["argv"]})")
                      .as_object();
  world.plugin("api", plugin);
  CHECK_THROWS_WITH(world.submit("job: b\n"
                                 "stages:\n"
                                 "  one:\n"
                                 "    uses: api\n"
                                 "    limits: {nope: 1}\n"
                                 "    with:\n"
                                 "      argv: [echo, 1]\n"
                                 "  list:\n"
                                 "    foreach: ${ {1} }\n"
                                 "    stages:\n"
                                 "      inner:\n"
                                 "        uses: api\n"
                                 "        with: {argv: no}\n"
                                 "  none: {uses: nobody}\n"
                                 "  bare: {uses: api}\n"),
                    Catch::Contains("test.yaml:7:20 (stages.one.with.argv[1]): must be text, not the number 1") &&
                        Catch::Contains("test.yaml:5:20 (stages.one.limits.nope): unknown limit 'nope'") &&
                        Catch::Contains("test.yaml:13:22 (stages.list.stages.inner.with.argv): must be a list") &&
                        Catch::Contains("test.yaml:14:16 (stages.none.uses): no plugin gives 'nobody'") &&
                        Catch::Contains("test.yaml:15:9 (stages.bare.with.argv): is missing"));
}
