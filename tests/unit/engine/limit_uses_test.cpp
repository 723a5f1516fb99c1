// Goal: what a step takes of limits may depend on the step: keys, amounts, and estimates that the provider's word
// settles. Method: an engine with a stepped clock whose provider says what calls cost.
#include <catch2/catch.hpp>

#include "support/engine_world.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::EngineWorld;
namespace json = base::json;

namespace {

// A provider whose calls take a second, cost what `costs` says, and say what is left as `left` says.
class Billing : public lab::VirtualRunner {
 public:
  using VirtualRunner::VirtualRunner;
  std::map<std::string, std::int64_t> costs;
  std::optional<model::Quota> left;
  std::map<std::string, int> called;

  std::shared_ptr<const engine::Callable> resolve(const std::string& uses) const override {
    auto callable = std::make_shared<engine::Callable>();
    callable->name = callable->plugin = callable->unit = uses;
    callable->version = "1";
    callable->retry_safe = true;
    return callable;
  }

 private:
  std::optional<base::Duration> takes(const engine::Callable&, const engine::StepCall&) override { return 1s; }
  engine::StepOutcome outcome(const engine::Callable& callable, const engine::StepCall&,
                              engine::StepListener& listener) override {
    ++called[callable.name];
    for (const auto& [limit, tokens] : costs) listener.cost(limit, tokens);
    if (left) listener.quota("", *left);
    return engine::StepSucceeded{"1", {}};
  }
};

struct World {
  support::TempDir jobs;
  lab::Memory memory;
  lab::VirtualClock clock;
  lab::MemoryStore store{memory, clock};
  Billing runner{clock};
  jobfile::Library library{{jobs.path()}};
  engine::Engine engine;

  World(const std::string& limit, const std::string& spec)
      : engine({.limits = {{limit, model::parse_limit(spec).value()}}}, store, runner, clock, library, [] {}) {
    engine.start([] {});
    clock.run_posted();
  }
  model::RunId submit(const std::string& yaml, json::object params = {}) {
    model::RunId run{};
    std::string error;
    engine.submit({.text = yaml, .file = "t.yaml", .params = std::move(params)}, {},
                  [&](const engine::Result<engine::SubmitReceipt>& receipt) {
                    if (receipt)
                      run = receipt->run;
                    else
                      error = receipt.error().what();
                  });
    clock.run_posted();
    if (!error.empty()) throw std::runtime_error(error);
    return run;
  }
  json::object limit(const std::string& name) const {
    for (const auto& limit : engine.limits())
      if (limit.at("name").as_string() == name) return limit.as_object();
    return {};
  }
};

constexpr auto kTenants = R"(
job: work
params: {tenant: string}
stages:
  each: {foreach: "${ range(1, 4) }", uses: api, limits: {"tenant:${ params.tenant }": 1}}
)";

}  // namespace

TEST_CASE("each tenant has its own permits, whoever comes") {
  World world("tenant:*", "1");
  const auto a = world.submit(kTenants, {{"tenant", "acme"}});
  const auto b = world.submit(kTenants, {{"tenant", "umbrella"}});
  CHECK(world.runner.in_flight() == 2);
  const auto acme = world.limit("tenant:acme");
  CHECK(acme.at("used") == 1);
  CHECK(acme.at("waiting") == 3);
  CHECK(acme.at("key_of") == "tenant:*");
  CHECK(world.limit("tenant:*").at("keys") == 2);
  std::string why;
  world.engine.why(a, [&](engine::Result<json::object> answer) { why = json::serialize(*answer); });
  CHECK_THAT(why, Catch::Contains("waits for limit 'tenant:acme': 1 of 1 permits are taken by 1/each[0]"));
  world.clock.advance(4s);
  CHECK((world.memory.runs.at(a).done && world.memory.runs.at(b).done));
  world.clock.advance(10s);
  CHECK(world.limit("tenant:acme").empty());
}

TEST_CASE("a name without a template is refused at the submit, one with too little too") {
  World world("item:*", "2");
  CHECK_THROWS_WITH(world.submit(kTenants, {{"tenant", "acme"}}), Catch::Contains("unknown limit 'tenant:*'"));
  const auto run = world.submit(R"(
job: work
stages:
  each: {foreach: "${ range(1, 3) }", uses: api, on_item_error: record, limits: {"item:x": "${ item }"}}
)");
  world.clock.advance(10s);
  const auto& steps = world.memory.runs.at(run).steps;
  CHECK(steps.at("each[1]").state == model::StepState::succeeded);
  CHECK(steps.at("each[2]").failure->code == "bad_limit");
  CHECK_THAT(steps.at("each[2]").failure->message,
             Catch::Contains("asks for 3 permits of limit 'item:x', which has 2"));
}

TEST_CASE("an estimate is reserved and the true cost settled") {
  World world("tokens", "1000/s burst 1000");
  const auto kJob = R"(
job: llm
params: {text: string}
stages:
  each: {foreach: "${ range(1, 100) }", parallel: 1, uses: chat, limits: {tokens: {estimate: "${ len(params.text) }"}}}
)";
  SECTION("that was less: the calls come as fast as one after the other") {
    world.runner.costs = {{"tokens", 100}};
    world.submit(kJob, {{"text", std::string(1000, 'x')}});
    world.clock.advance(20s);
    CHECK(world.runner.called["chat"] >= 18);
  }
  SECTION("that was more: the debt is paid before the next call") {
    world.runner.costs = {{"tokens", 5000}};
    world.submit(kJob, {{"text", std::string(1000, 'x')}});
    world.clock.advance(60s);
    CHECK(world.runner.called["chat"] >= 10);
    CHECK(world.runner.called["chat"] <= 13);
  }
  SECTION("of another limit it changes nothing") {
    world.runner.costs = {{"other", 1'000'000}};
    world.submit(kJob, {{"text", "x"}});
    world.clock.advance(20s);
    CHECK(world.runner.called["chat"] >= 18);
  }
}

TEST_CASE("what the provider has left paces the steps, and is told") {
  World world("api", "100/s");
  world.runner.left = model::Quota{10, 100s, {}};
  const auto run =
      world.submit("job: j\nstages:\n  each: {foreach: '${ range(1, 300) }', uses: api, limits: {api: 1}}\n");
  world.clock.advance(5s);
  const auto limit = world.limit("api");
  CHECK(limit.at("rate").to_number<double>() < 1);
  CHECK_THAT(std::string(limit.at("why").as_string()), Catch::Contains("how much it lets through"));
  CHECK(limit.contains("until"));
  std::string why;
  world.engine.why(run, [&](engine::Result<json::object> answer) { why = json::serialize(*answer); });
  CHECK_THAT(why, Catch::Contains("how much it lets through until it counts anew, for another"));
}

TEST_CASE("what an operator has taken of a limit is waited for, also after a restart") {
  EngineWorld world({.limits = {{"room:*", model::parse_limit("2").value()}}});
  world.plugin("work", {[](const engine::StepCall&) { return support::succeed("1"); }});
  const auto set = [&](const std::string& limit) {
    world.engine->set_limit("room:*", model::parse_limit(limit).value(), {},
                            [](const engine::Result<engine::Nothing>& done) { REQUIRE(done); });
    world.clock.run_posted();
  };
  constexpr auto kJob =
      "job: two\nstages:\n  a: {sleep: 10s}\n  b: {needs: [a], uses: work, limits: {'room:${ run.job }': 2}}\n";
  const auto before = world.submit(kJob);
  set("1");
  const auto after = world.submit(kJob);
  world.clock.advance(20s);
  CHECK(world.done() == 0);
  std::mt19937_64 random(1);
  world.crash(random);
  world.start();
  world.clock.advance(20s);
  CHECK(world.done() == 0);
  set("2");
  world.clock.advance(20s);
  CHECK(world.result(before) == "1");
  CHECK(world.result(after) == "1");
}
