// Goal: runs of scripts are continued, moved to other versions and pinned as those of stages are. Method: the engine's
// world, with scripts in this process.
#include <catch2/catch.hpp>

#include "lab/local_scripts.hpp"
#include "model/script_bundle.hpp"
#include "script/execution.hpp"
#include "support/engine_world.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::EngineWorld;
namespace json = base::json;

namespace {

// A script as it is stored: with what it says of itself.
std::string written(const std::string& body, const std::string& header = {}) {
  model::ScriptBundle bundle{.file = "s.lua",
                             .text = "local gw = require 'godwit'\nreturn gw.job { name = 's', " + header +
                                     " run = function(p)\n" + body + "\nend }\n",
                             .modules = {},
                             .header = {}};
  bundle.header = script::Execution(bundle, {}).header();
  return bundle.to_text();
}

class ScriptsWorld : public EngineWorld {
 public:
  ScriptsWorld() : scripts_(std::make_unique<lab::LocalScripts>(clock)) {
    settings.scripts = scripts_.get();
    start();
    plugin("echo", {[](const engine::StepCall& call) { return support::succeed(call.input); }});
    plugin("flaky",
           {[this](const engine::StepCall&) { return broken ? support::fail("down") : support::succeed("\"up\""); }});
  }
  void die() {
    std::mt19937_64 random(1);
    crash(random);
    scripts_ = std::make_unique<lab::LocalScripts>(clock);
    settings.scripts = scripts_.get();
    start();
  }
  model::RunId retry(model::RunId run, engine::Engine::Retry how = {}) {
    std::optional<engine::Result<model::RunId>> anew;
    runner->sent.clear();
    engine->retry(run, std::move(how), {7, "ann", {}},
                  [&](engine::Result<model::RunId> id) { anew.emplace(std::move(id)); });
    clock.run_posted();
    REQUIRE(anew);
    if (!*anew) throw anew->error();
    run_to_end();
    return **anew;
  }
  json::object migrate(model::RunId run, const std::string& to, bool dry) {
    std::optional<engine::Result<json::object>> report;
    engine->migrate(run, to, dry, {7, "ann", {}},
                    [&](engine::Result<json::object> given) { report.emplace(std::move(given)); });
    for (int i = 0; i < 50 && !report; ++i) clock.run_posted();
    REQUIRE(report);
    if (!*report) throw report->error();
    return **report;
  }
  std::size_t calls(const std::string& path) const {
    return static_cast<std::size_t>(std::count_if(runner->sent.begin(), runner->sent.end(),
                                                  [&](const auto& call) { return call.path.starts_with(path); }));
  }

  bool broken = true;

 private:
  std::unique_ptr<lab::LocalScripts> scripts_;
};

constexpr auto kLongLoop =
    "local sum = gw.each('n', range(1, 10500), {parallel = 100, fold = {0, function(a, r) return a + r end}},\n"
    "  function(n) return gw.call('echo', {n = n}).n end)\n"
    "local up = gw.stage('after', 'flaky')\nreturn {sum = sum, up = up}";

}  // namespace

TEST_CASE("what a loop has folded away is not done again by a run that continues another") {
  ScriptsWorld world;
  const auto run = world.submit(written(kLongLoop));
  world.run_to_end();
  REQUIRE(world.result(run).find("failed down") == 0);
  REQUIRE(world.calls("n[") == 10500);
  world.broken = false;
  const auto second = world.retry(run);
  CHECK(world.result(second) == R"({"sum":55130250,"up":"up"})");
  CHECK(world.calls("n[") == 0);
  const auto third = world.retry(run, {.from = "after"});
  CHECK(world.result(third) == R"({"sum":55130250,"up":"up"})");
  CHECK(world.calls("n[") == 0);
  // From the loop itself on, all of it is done again.
  const auto fourth = world.retry(run, {.from = "n[]"});
  CHECK(world.result(fourth) == R"({"sum":55130250,"up":"up"})");
  CHECK(world.calls("n[") == 10500);
  CHECK_THROWS_WITH(world.retry(run, {.from = "n[3]"}), Catch::Contains("folded away with the items 0 to"));
  CHECK_THROWS_WITH(world.retry(run, {.set = {{"n[3]", "1"}}}), Catch::Contains("folded away"));
  CHECK_THROWS_WITH(world.retry(run, {.skip = {"nowhere"}}), Catch::Contains("has recorded no step 'nowhere'"));
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a person gives a script's steps other outputs, or none") {
  ScriptsWorld world;
  const auto run =
      world.submit(written("local a = gw.stage('a', 'echo', {v = 1})\nlocal b = gw.stage('b', 'flaky')\n"
                           "local each = gw.each('each', {1, 2}, function(n) return gw.call('echo', {n = n}).n end)\n"
                           "return {a = a.v, b = b or 'nothing', each = each}"));
  world.run_to_end();
  REQUIRE(world.result(run).find("failed down") == 0);
  const auto second = world.retry(run, {.set = {{"a", "{\"v\":9}"}}, .skip = {"b"}});
  CHECK(world.result(second) == R"({"a":9,"b":"nothing","each":[1,2]})");
  CHECK(world.calls("a") == 0);
  CHECK(world.calls("each") == 2);
  const auto third = world.retry(second, {.set = {{"each[1]", "{\"n\":7}"}}});
  CHECK(world.result(third) == R"({"a":9,"b":"nothing","each":[1,7]})");
  CHECK(world.runner->sent.empty());
}

TEST_CASE("what a script caught and went on from is not done again, what it ended with is") {
  ScriptsWorld world;
  world.broken = true;
  const auto run = world.submit(written(
      "local ok = gw.try(gw.call, 'flaky', {n = 1})\n"
      "local v = gw.call('echo', {v = 1}).v\n"
      "local up = gw.each('e', {1, 2, 3}, {on_error = 'skip'}, function(i) return gw.stage('s', 'flaky', {i = i}) end)\n"
      "if #up < 3 then gw.fail('few', #up .. ' are up') end\n"
      "return {ok, v, #up}"));
  world.run_to_end();
  REQUIRE_THAT(world.result(run), Catch::Contains("failed few: 0 are up"));
  world.broken = false;
  CHECK(world.result(world.retry(run)) == "[false,1,3]");
  CHECK(world.runner->sent.size() == 3);
  CHECK(world.result(world.retry(run, {.set = {{"echo", R"({"v":7})"}}})) == "[false,7,3]");
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a run that slept is shown as far as it came, with the loops that are over, and in the state it is in") {
  ScriptsWorld world;
  std::set<std::string> states;
  const auto run = world.submit(
      written("gw.first {quick = function() gw.sleep('2h') end, slow = function() gw.sleep('9h') end}\n"
              "gw.sleep('3h')\ngw.call('echo')\ngw.sleep('1s')\nreturn 1"));
  world.engine->follow(run, engine::Interest::everything, [&](const json::object& event) {
    if (event.at("event").as_string() == "progress") states.insert(std::string(event.at("state").as_string()));
  });
  world.run_to_end();
  REQUIRE(world.result(run) == "1");
  const auto progress = base::parse_json(world.run(run).progress).as_object();
  CHECK(progress.at("done") == progress.at("total"));
  CHECK(progress.at("stages").at(0).at("state") == "done");
  CHECK(states.contains("waiting"));
}

TEST_CASE("what a run has no room to show it says, once") {
  ScriptsWorld world;
  int told = 0;
  const auto run = world.submit(
      written("for n = 1, 3 do\n  gw.sleep('1s')\n  gw.progress { big = ('x'):rep(5000), small = n }\nend\nreturn 1"));
  world.engine->follow(run, engine::Interest::everything, [&](const json::object& event) {
    if (event.at("event") == "log" && event.at("text").as_string().starts_with("the field \"big\"")) ++told;
  });
  world.run_to_end();
  REQUIRE(world.result(run) == "1");
  CHECK(told == 1);
  CHECK(base::parse_json(world.run(run).progress).at("fields") == json::object{{"small", 3}});
}

TEST_CASE("a run that continues another one has its time, its random numbers and its name") {
  ScriptsWorld world;
  const auto run = world.submit(written(
      "local a = gw.call('echo', {at = gw.now(), id = gw.run_id(), number = gw.random(1000000), uuid = gw.uuid()})\n"
      "gw.stage('b', 'flaky')\nreturn a.id"));
  world.run_to_end();
  world.clock.advance(1h);
  world.broken = false;
  const auto second = world.retry(run);
  CHECK(world.result(second) == "\"" + model::text(run) + "\"");
  CHECK(world.calls("echo") == 0);
  world.broken = true;
  CHECK(world.result(world.retry(second, {.from = "b"})).find("failed down") == 0);
}

TEST_CASE("a run of a script goes on with a version that fits, after it was shown where") {
  ScriptsWorld world;
  const auto run = world.submit(written("gw.stage('a', 'echo', {v = 1})\ngw.sleep('9h')\nreturn 'old'"));
  world.clock.advance(1s);
  const auto version = [&](const std::string& body) {
    const auto other = world.submit(written(body));
    world.clock.advance(1s);
    return world.run(other).submitted.version;
  };
  const auto good = version("gw.stage('a', 'echo', {v = 1})\ngw.sleep('9h')\ngw.stage('more', 'echo')\nreturn 'new'");
  const auto bad = version("gw.stage('b', 'echo', {v = 1})\ngw.sleep('9h')\nreturn 'new'");
  const auto report = world.migrate(run, bad, false);
  CHECK(report.at("done") == false);
  CHECK(std::string(report.at("problem").as_string()).find("step a is recorded, but s.lua:3 asks for b") !=
        std::string::npos);
  CHECK(report.at("recorded").at("path") == "a");
  CHECK(report.at("recorded").at("version") == json::string(world.run(run).submitted.version));
  CHECK(report.at("requested").at("path") == "b");
  CHECK(report.at("requested").at("version") == json::string(bad));
  CHECK(world.memory.audit.empty());
  const auto dry = world.migrate(run, good, true);
  CHECK(json::serialize(dry.at("next")) == R"(["sleep"])");
  CHECK(dry.at("done") == false);
  CHECK(dry.at("problem").is_null());
  CHECK(world.migrate(run, good, false).at("done") == true);
  CHECK(world.memory.audit.at(0).command == "run.migrate");
  world.die();
  world.run_to_end();
  CHECK(world.result(run) == "\"new\"");
  CHECK(world.run(run).steps.contains("more"));
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a run of a script keeps to the versions of plugins that were there at its submit") {
  ScriptsWorld world;
  const auto run = world.submit(written("gw.stage('a', 'echo')\ngw.sleep('9h')\ngw.stage('b', 'echo')\nreturn 'done'"));
  world.clock.advance(1s);
  world.plugins["echo"].version = "2.0.0";
  world.die();
  world.run_to_end();
  CHECK(world.result(run) == "not ended");
  CHECK(world.run(run).changes.back().detail.find("pinned to plugin 'echo' 1.0.0, installed is 2.0.0") !=
        std::string::npos);
  world.engine->retry(run, {}, {7, "ann", {}}, [](const engine::Result<model::RunId>&) {});
  world.run_to_end();
  CHECK(world.result(run) == "\"done\"");
}

TEST_CASE("a script has an end of its own for a run that failed, succeeded or was cancelled") {
  ScriptsWorld world;
  const std::string endings =
      "on_failure = function(outcome, p) gw.stage('tell', 'echo', {why = outcome.error.code, at = outcome.error.step}) "
      "gw.sleep('1h') gw.stage('more', 'echo') end, "
      "on_success = function(outcome) gw.stage('tell', 'echo', {what = outcome.result}) end,";
  const auto failed = world.submit(written("gw.stage('b', 'flaky')", endings));
  world.clock.advance(1s);
  CHECK(world.result(failed) == "not ended");
  world.die();
  world.run_to_end();
  CHECK_THAT(world.result(failed), Catch::StartsWith("failed down"));
  CHECK(world.run(failed).steps.at("on_failure/tell").output == R"({"at":"b","why":"down"})");
  CHECK(world.run(failed).steps.contains("on_failure/more"));
  world.broken = false;
  const auto good = world.submit(written("return gw.stage('b', 'flaky')", endings));
  world.run_to_end();
  CHECK(world.result(good) == "\"up\"");
  CHECK(world.run(good).steps.at("on_success/tell").output == R"({"what":"up"})");
  // What the end did is not what a run that continues this one did.
  const auto again = world.retry(failed);
  CHECK(world.result(again) == "null");
  CHECK(world.memory.faults.empty());
}

TEST_CASE("variables of the job and of a call reach methods that take them") {
  ScriptsWorld world;
  world.plugin("shell", {.run = [](const engine::StepCall& call) { return support::succeed(call.input); },
                         .takes = {},
                         .schema = json::object{{"properties", json::object{{"env", json::object()}}}}});
  const auto run = world.submit(
      written("return {gw.call('shell', {env = {C = '3'}}, {env = {B = '2', C = '0'}}), gw.call('echo', {x = 1})}",
              "params = {t = 'string'}, env = {A = '${ params.t }', B = '1'},"),
      {{"t", "acme"}});
  world.run_to_end();
  CHECK(world.result(run) == R"([{"env":{"A":"acme","B":"2","C":"3"}},{"x":1}])");
}

TEST_CASE("a script has a lock while its function runs, whatever ends it, and continues as another run") {
  ScriptsWorld world;
  const auto run = world.submit(written(
      "local ok, err = gw.try(gw.lock, 'one', function() gw.stage('a', 'flaky') end)\n"
      "local v = gw.lock('one', {permits = 1}, function() return gw.stage('b', 'echo', {v = 1}).v end)\n"
      "local again, why = gw.try(function() gw.lock('one', function() gw.lock('one', function() end) end) end)\n"
      "local first = gw.first {\n"
      "  slow = function() return gw.lock('two', function() gw.sleep('9h') return 'slow' end) end,\n"
      "  fast = function() gw.sleep('1s') return 'fast' end }\n"
      "local after = gw.lock('two', function() return 'free' end)\n"
      "gw.lock('three') gw.sleep('2h')\n"
      "return {ok, err.code, v, why.message, first, after}"));
  world.clock.advance(1min);
  INFO(world.result(run));
  REQUIRE(world.memory.locks.size() == 1);
  CHECK(world.memory.locks[0].name == "three");
  const auto other = world.submit(written("return gw.lock('three', {timeout = '3h'}, function() return 'had' end)"));
  world.clock.advance(1h);
  CHECK(world.result(other) == "not ended");
  world.die();
  world.run_to_end();
  CHECK_THAT(world.result(run), Catch::Contains("[false,\"down\",1,") && Catch::Contains("would wait for itself") &&
                                    Catch::Contains("\"fast\",\"free\"]"));
  CHECK(world.result(other) == "\"had\"");
  CHECK(world.memory.locks.empty());
  const auto chain = world.submit(
      written("if p.n < 3 then gw.continue_as({n = p.n + 1}, 'on') end return p.n", "params = {n = 'integer'},"),
      {{"n", 1}});
  world.run_to_end();
  CHECK(world.result(chain) == "\"on\"");
  CHECK(world.result(model::RunId(model::number(chain) + 2)) == "3");
  CHECK(world.memory.faults.empty());
}

TEST_CASE("a child whose branch lost a race is cancelled at once, whenever the daemon dies") {
  for (std::uint64_t deaths = 0; deaths < 3; ++deaths) {
    INFO("deaths " << deaths);
    ScriptsWorld world;
    world.job("long", "job: long\nstages:\n  nap: {sleep: 99h}\n");
    // The child of the second race is lost while it is being made.
    const auto run = world.submit(
        written("local a = gw.first {child = function() return gw.child('long') end,\n"
                "  quick = function() gw.sleep('1h') return 'quick' end}\n"
                "local b = gw.first {child = function() return gw.child('long') end,\n"
                "  quick = function() return gw.call('echo', {v = 'quicker'}).v end}\n"
                "gw.sleep('10h')\nreturn {a, b}"));
    world.clock.advance(1h - 1s);
    if (deaths > 0) world.die();
    // Its time is over, and what came of that may not be stored.
    world.clock.next_timer();
    if (deaths > 1) world.die();
    world.clock.advance(30min);
    CHECK(world.result(run) == "not ended");
    for (const auto& [id, other] : world.memory.runs) {
      if (id == run) continue;
      CHECK_THAT(world.result(id), Catch::Contains("cancelled"));
    }
    world.run_to_end();
    CHECK(world.result(run) == R"(["quick","quicker"])");
    CHECK(world.memory.faults == std::vector<std::string>{});
  }
}

TEST_CASE(
    "a child that waits for its turn ends with the branch that lost, with the run whose end has begun, and when its "
    "time is up") {
  ScriptsWorld world;
  world.job("held", "job: held\nqueue: shut\nstages:\n  nap: {sleep: 1s}\n");
  world.engine->pause_queue("shut", true, {7, "ann", {}},
                            [](const engine::Result<engine::Nothing>& done) { REQUIRE(done); });
  const auto run =
      world.submit(written("gw.first {child = function() return gw.child('held') end,\n"
                           "  quick = function() gw.sleep('1h') return 'quick' end}\n"
                           "gw.sleep('10h')\nreturn 1"));
  // Its end takes ten hours, for which nobody who waits for a turn need wait.
  const auto failed = world.submit(
      "job: outer\nstages:\n  child: {run: held}\n  bad: {uses: flaky}\non_failure: {nap: {sleep: 10h}}\n");
  const auto late = world.submit("job: patient\nstages:\n  child: {run: held, timeout: 1h}\n");
  world.clock.advance(2h);
  CHECK(world.result(run) == "not ended");
  CHECK(world.result(failed) == "not ended");
  CHECK_THAT(world.result(late), Catch::Contains("timeout"));
  int children = 0;
  for (const auto& [id, other] : world.memory.runs) {
    if (!other.submitted.parent) continue;
    ++children;
    CHECK_THAT(world.result(id), Catch::Contains("cancelled by run " + model::text(*other.submitted.parent)));
  }
  CHECK(children == 3);
  CHECK(world.memory.faults == std::vector<std::string>{});
}
