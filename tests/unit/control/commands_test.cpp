#include <catch2/catch.hpp>
#include <fstream>
#include <set>

#include "control/commands/all.hpp"
#include "support/engine_world.hpp"
#include "support/temp_dir.hpp"

using namespace godwit;
using namespace godwit::control;
namespace json = base::json;

namespace {

// What the store of the world remembers, as the real history would show it.
class MemoryHistory : public engine::History {
 public:
  explicit MemoryHistory(support::EngineWorld& world) : world_(world) {}

  void list_runs(engine::RunFilter filter, engine::Answer<json::array> answer) override {
    json::array rows;
    for (auto run = world_.memory.runs.rbegin(); run != world_.memory.runs.rend() && rows.size() < filter.limit; ++run)
      if (!filter.before || run->first < *filter.before) rows.push_back(row(run->first));
    world_.clock.post([answer, rows] { answer(rows); });
  }
  void show_run(model::RunId run, engine::Answer<json::object> answer) override {
    world_.clock.post([this, run, answer] {
      if (!world_.memory.runs.contains(run)) return answer(base::not_found("there is no run " + model::text(run)));
      answer(row(run));
    });
  }
  void list_steps(model::RunId run, std::size_t, std::size_t, bool, engine::Answer<json::object> answer) override {
    json::array steps;
    for (const auto& path : world_.memory.runs.at(run).step_order) steps.push_back(json::object{{"path", path}});
    world_.clock.post([answer, steps] { answer(json::object{{"steps", steps}, {"more", false}}); });
  }
  void read_logs(model::RunId, std::int64_t, std::size_t, engine::Answer<json::array> answer) override {
    world_.clock.post([answer] { answer(json::array()); });
  }
  void read_result(model::RunId run, engine::Answer<json::object> answer) override { show_run(run, std::move(answer)); }
  void list_fires(std::string, std::size_t, engine::Answer<json::array> answer) override {
    world_.clock.post([answer] { answer(json::array()); });
  }
  void list_artifacts(std::optional<model::RunId>, std::size_t, engine::Answer<json::array> answer) override { answer(json::array{}); }
  void read_artifact(std::string sha256, std::uint64_t, std::size_t, engine::Answer<json::object> answer) override {
    answer(base::not_found("there is no artifact sha256:" + sha256));
  }
  void unknown_files(std::vector<std::string>, engine::Answer<std::vector<std::string>> answer) override {
    answer(std::vector<std::string>{});
  }
  void list_nodes(engine::Answer<json::array> answer) override { answer(json::array()); }
  void list_audit(std::size_t, engine::Answer<json::array> answer) override {
    json::array rows;
    for (const auto& entry : world_.memory.audit) rows.push_back(json::object{{"who", entry.who}, {"command", entry.command}});
    world_.clock.post([answer, rows] { answer(rows); });
  }

 private:
  json::object row(model::RunId id) const {
    const auto& run = world_.memory.runs.at(id);
    json::object result{{"run", model::number(id)}, {"job", run.submitted.job}, {"state", run.done ? model::name(run.done->state) : "running"}, {"progress", nullptr}};
    if (run.done && !run.done->result.empty()) result["result"] = base::parse_json(run.done->result);
    return result;
  }

  support::EngineWorld& world_;
};

// A client without a socket: what it is sent is kept.
class KeepingChannel : public Channel {
 public:
  void send_result(const json::value&, const json::value& result) override { results.push_back(result); }
  void send_error(const json::value&, const base::Error& error) override { errors.push_back(error); }
  void send_event(std::uint64_t, const json::object& event) override { events.push_back(event); }
  std::size_t backlog() const override { return unread; }
  std::uint64_t subscribe(std::function<void()> end) override {
    ends[++last] = std::move(end);
    return last;
  }
  bool unsubscribe(std::uint64_t subscription) override {
    auto found = ends.extract(subscription);
    if (found.empty()) return false;
    found.mapped()();
    return true;
  }

  std::vector<json::value> results;
  std::vector<base::Error> errors;
  std::vector<json::object> events;
  std::map<std::uint64_t, std::function<void()>> ends;
  std::uint64_t last = 0;
  std::size_t unread = 0;
};

constexpr auto kJob = R"(
job: hello
params: {who: {type: string, default: world}}
stages:
  say: {uses: test.echo, with: {text: "hello ${ params.who }"}}
result: "${ stages.say.text }"
)";

// All commands over an engine whose time stands still between calls.
class Fixture {
 public:
  Fixture() {
    world.plugin("test.echo", {[](const engine::StepCall& call) { return support::succeed(call.input); }});
    std::ofstream(jobs / "hello.yaml") << kJob;
    library.reload();
  }

  void send(std::string_view method, json::object params, Role role = Role::admin) {
    const auto* command = table.find(method);
    REQUIRE(command);
    const Reply reply(channel, 1, [] {});
    reply.guard([&] { command->handle(Call{{1000, "ann"}, role, Arguments::check(std::move(params), command->parameters), reply}); });
  }
  json::value call(std::string_view method, json::object params = {}, Role role = Role::admin) {
    const auto before = channel->results.size();
    send(method, std::move(params), role);
    world.clock.run_posted();
    for (const auto& error : channel->errors) FAIL(error.what());
    REQUIRE(channel->results.size() == before + 1);
    return channel->results.back();
  }
  std::int64_t submit() { return call("run.submit", {{"text", kJob}, {"file", "hello.yaml"}}).at("run").as_int64(); }
  base::Error error(std::string_view method, json::object params = {}, Role role = Role::admin) {
    send(method, std::move(params), role);
    world.clock.run_posted();
    REQUIRE(channel->errors.size() == 1);
    const auto result = channel->errors.back();
    channel->errors.clear();
    return result;
  }

  support::TempDir jobs;
  support::EngineWorld world;
  MemoryHistory history{world};
  jobfile::Library library{{jobs.path()}};
  Services services{*world.engine, *world.store, history, library,
                    [] { return json::array{json::object{{"id", "echo"}}}; },
                    [](const std::string& id) { return json::object{{"id", id}}; },
                    [] { return json::object(); },
                    [] { return json::object(); },
                    [this] { return json::object{{"loaded", library.reload().loaded}}; },
                    "1.2.3"};
  CommandTable table{all_commands(services)};
  std::shared_ptr<KeepingChannel> channel = std::make_shared<KeepingChannel>();
};

}  // namespace

TEST_CASE("Every command says what it is for, and so does every parameter") {
  Fixture fixture;
  for (const auto& [name, command] : fixture.table.all()) {
    INFO(name);
    CHECK(command.role != Role::none);
    CHECK(command.summary.ends_with('.'));
    for (const auto& parameter : command.parameters) CHECK_FALSE(parameter.summary.empty());
  }
}

TEST_CASE("A run is submitted, followed to its end, and shown") {
  Fixture fixture;
  fixture.world.runner->hold.insert("say");
  const auto run = fixture.call("run.submit", {{"text", kJob}, {"file", "h.yaml"}, {"params", {{"who", "you"}}}}).at("run").as_int64();
  CHECK(fixture.call("run.show", {{"run", run}}).at("state") == "running");
  CHECK(fixture.call("run.show", {{"run", run}}).at("steps_in_flight").as_array().size() == 1);
  CHECK(fixture.call("run.list", {{"state", "running"}}).as_array().size() == 1);
  CHECK(fixture.call("run.list", {{"state", "waiting"}}).as_array().empty());
  CHECK(fixture.call("run.follow", {{"run", run}}).at("subscription") == 1);
  REQUIRE(fixture.channel->events.size() == 1);
  CHECK(fixture.channel->events[0].at("state") == "running");
  fixture.call("run.cancel", {{"run", run}});
  fixture.world.run_to_end();
  CHECK(fixture.channel->events.back().at("event") == "state");
  CHECK(fixture.channel->events.back().at("state") == "cancelled");
  CHECK(fixture.channel->ends.empty());
  CHECK(fixture.call("run.show", {{"run", run}, {"steps", json::object()}}).at("more_steps") == false);
  CHECK(fixture.call("audit.list").as_array().size() >= 1);
}

TEST_CASE("A list looks on for runs in a state of which only the engine knows, to the last open run") {
  Fixture fixture;
  fixture.world.runner->hold.insert("say");
  const auto oldest = fixture.submit(), second = fixture.submit();
  for (int i = 0; i < 60; ++i) fixture.call("run.pause", {{"run", fixture.submit()}});
  const auto running = [&](json::object more = {}) {
    more["state"] = "running";
    std::vector<std::int64_t> runs;
    const json::value rows = fixture.call("run.list", more);
    for (const auto& row : rows.as_array()) runs.push_back(row.at("run").as_int64());
    return runs;
  };
  CHECK(running() == std::vector{second, oldest});
  CHECK(running({{"limit", 1}}) == std::vector{second});
  CHECK(running({{"before", second}}) == std::vector{oldest});
  CHECK(fixture.call("run.list", {{"state", "paused"}}).as_array().size() == 50);
  CHECK(fixture.call("run.list", {{"state", "blocked"}, {"limit", 1}}).as_array().empty());
}

TEST_CASE("Who follows the states of a run hears of nothing else") {
  Fixture fixture;
  const auto told = [&](bool states) {
    const auto before = fixture.channel->events.size();
    const auto run = fixture.submit();
    fixture.call("run.follow", {{"run", run}, {"states", states}});
    fixture.world.run_to_end();
    std::set<std::string> kinds;
    for (auto at = before; at < fixture.channel->events.size(); ++at)
      kinds.insert(std::string(fixture.channel->events[at].at("event").as_string()));
    CHECK(fixture.channel->events.back().at("state") == "succeeded");
    return kinds;
  };
  CHECK(told(false).contains("step"));
  CHECK(told(true) == std::set<std::string>{"state"});
}

TEST_CASE("Following a run that has ended gives its end and nothing more") {
  Fixture fixture;
  const auto run = fixture.submit();
  fixture.world.run_to_end();
  fixture.call("run.follow", {{"run", run}});
  REQUIRE(fixture.channel->events.size() == 1);
  CHECK(fixture.channel->events[0].at("state") == "succeeded");
  CHECK(fixture.channel->ends.empty());
  CHECK(fixture.call("run.result", {{"run", run}}).at("result") == "hello world");
}

TEST_CASE("Following a run that does not exist is an error and leaves no subscription") {
  Fixture fixture;
  CHECK(fixture.error("run.follow", {{"run", 999}}).kind() == base::ErrorKind::not_found);
  CHECK(fixture.channel->ends.empty());
  CHECK(fixture.call("run.unfollow", {{"subscription", 1}}).at("ended") == false);
}

TEST_CASE("A follower that is far behind is told of changes of state, and of the gap") {
  Fixture fixture;
  fixture.world.runner->hold.insert("say");
  const auto run = fixture.submit();
  fixture.call("run.follow", {{"run", run}});
  fixture.channel->unread = 100u << 20;
  const auto before = fixture.channel->events.size();
  fixture.call("run.pause", {{"run", run}});
  fixture.call("run.cancel", {{"run", run}});
  fixture.world.run_to_end();
  for (auto event = fixture.channel->events.begin() + static_cast<std::ptrdiff_t>(before); event != fixture.channel->events.end(); ++event) {
    CHECK((event->at("event") == "state" || event->at("event") == "gap"));
  }
  CHECK(fixture.channel->events.back().at("state") == "cancelled");
}

TEST_CASE("A submit says what is wrong with it") {
  Fixture fixture;
  CHECK(fixture.error("run.submit").kind() == base::ErrorKind::refused);
  CHECK(fixture.error("run.submit", {{"job", "hello"}, {"text", "job: x"}}).kind() == base::ErrorKind::refused);
  CHECK(fixture.error("run.submit", {{"job", "helo"}}).kind() == base::ErrorKind::not_found);
  CHECK(std::string(fixture.error("run.submit", {{"text", kJob}, {"params", {{"whom", "x"}}}}).what()).find("whom") != std::string::npos);
  CHECK(fixture.error("run.submit", {{"text", kJob}}, Role::operator_).kind() == base::ErrorKind::denied);
  fixture.services.operators_submit_files = true;
  CHECK(fixture.call("run.submit", {{"text", kJob}}, Role::operator_).at("run").as_int64() > 0);
}

TEST_CASE("A submit with more parameters than are taken, or with an empty key or stage, is refused") {
  Fixture fixture;
  fixture.services.submit_max = 100;
  const json::object large{{"who", std::string(100, 'x')}};
  for (const auto& [method, params] :
       {std::pair<const char*, json::value>{"run.submit", large}, {"run.submit_many", json::array{large}}}) {
    const auto error = fixture.error(method, {{"text", kJob}, {"params", params}});
    CHECK(error.kind() == base::ErrorKind::refused);
    CHECK_THAT(error.what(),
               Catch::Contains("have 110 bytes, and at most 100 are taken") && Catch::Contains("control.submit_max"));
  }
  fixture.services.submit_max = 110;
  fixture.call("run.submit", {{"text", kJob}, {"params", large}});
  CHECK_THAT(fixture.error("run.submit", {{"text", kJob}, {"key", ""}}).what(), Catch::Contains("the key is empty"));
  CHECK_THAT(fixture.error("run.submit", {{"text", kJob}, {"only", json::array()}}).what(),
             Catch::Contains("the list of stages is empty"));
  CHECK_THAT(fixture.error("run.submit", {{"text", kJob}, {"stop_after", ""}}).what(),
             Catch::Contains("the name of the stage is empty"));
  CHECK(fixture.world.memory.runs.size() == 1);
}

TEST_CASE("A retry cannot do a step again and give it an output") {
  Fixture fixture;
  const auto run = fixture.submit();
  fixture.world.run_to_end();
  CHECK_THAT(fixture.error("run.retry", {{"run", run}, {"from", "say"}, {"set", {{"say", 1}}}}).what(),
             Catch::Contains("'say' is to be done again and is given an output too"));
}

TEST_CASE("Many runs are submitted at once, all or none") {
  Fixture fixture;
  CHECK(fixture.call("run.submit_many", {{"text", kJob}, {"params", json::array(50, json::object{{"who", "all"}})}}).at("runs").as_array().size() == 50);
  const auto before = fixture.world.memory.runs.size();
  fixture.error("run.submit_many", {{"text", kJob}, {"params", json::array{json::object(), json::object{{"whom", 1}}}}});
  CHECK(fixture.world.memory.runs.size() == before);
  CHECK(fixture.error("run.submit_many", {{"text", kJob}, {"params", json::array{1}}}).kind() == base::ErrorKind::refused);
}

TEST_CASE("A job file's problems come as a list with their places") {
  Fixture fixture;
  CHECK(fixture.call("job.validate", {{"text", kJob}, {"file", "h.yaml"}}).at("valid") == true);
  const auto bad = fixture.call("job.validate", {{"text", "job: x\nstages:\n  s: {usess: test.echo}\n"}, {"file", "x.yaml"}});
  CHECK(bad.at("valid") == false);
  REQUIRE_FALSE(bad.at("problems").as_array().empty());
  CHECK(bad.at("problems").at(0).at("file") == "x.yaml");
  CHECK(bad.at("problems").at(0).at("line") == 3);
  const auto missing = fixture.call("job.validate", {{"text", "job: x\nstages:\n  s: {uses: nothing.there}\n"}, {"file", "x.yaml"}});
  CHECK(missing.at("valid") == false);
}

TEST_CASE("Jobs are listed, shown and drawn") {
  Fixture fixture;
  CHECK(fixture.call("job.list").at(0).at("job") == "hello");
  CHECK(fixture.call("job.show", {{"job", "hello"}}).at("stages").at(0).at("uses") == "test.echo");
  CHECK(fixture.call("job.graph", {{"job", "hello"}}).at("text").as_string().find("say") != json::string::npos);
  CHECK(fixture.call("job.graph", {{"text", kJob}, {"format", "dot"}}).at("text").as_string().find("digraph") != json::string::npos);
  CHECK(fixture.error("job.graph", {{"job", "hello"}, {"format", "dott"}}).kind() == base::ErrorKind::refused);
  CHECK(fixture.error("job.show", {{"job", "helo"}}).kind() == base::ErrorKind::not_found);
}

TEST_CASE("What only the store knows is unavailable while it is away; the rest is not") {
  Fixture fixture;
  fixture.world.runner->hold.insert("say");
  const auto run = fixture.submit();
  fixture.world.store->set_away(true);
  for (const auto* method : {"run.show", "run.logs", "run.result"}) CHECK(fixture.error(method, {{"run", run}}).kind() == base::ErrorKind::unavailable);
  CHECK(fixture.error("run.list").kind() == base::ErrorKind::unavailable);
  CHECK(fixture.call("daemon.status").at("store").at("state") == "down");
  CHECK(fixture.call("run.follow", {{"run", run}}).at("subscription") == 1);
  CHECK(fixture.call("daemon.reload").at("loaded") == 1);
  fixture.world.store->set_away(false);
  fixture.world.clock.run_posted();
  CHECK(fixture.world.memory.audit.back().command == "reload");
}

TEST_CASE("Limits, plugins and the daemon's state can be asked for and set") {
  Fixture fixture;
  fixture.call("limit.set", {{"name", "api"}, {"permits", 3}});
  CHECK(fixture.call("limit.list").at(0).at("permits") == 3);
  CHECK(fixture.error("limit.set", {{"name", "api"}, {"permits", -1}}).kind() == base::ErrorKind::refused);
  for (const char* name : {"", " api", "a\nb"})
    CHECK(fixture.error("limit.set", {{"name", name}, {"permits", 3}}).kind() == base::ErrorKind::refused);
  CHECK(fixture.call("limit.unset", {{"name", "api"}}).at("limit").is_null());
  CHECK(fixture.call("limit.list").as_array().empty());
  CHECK(fixture.error("limit.unset", {{"name", "api"}}).kind() == base::ErrorKind::not_found);
  CHECK(fixture.error("limit.set", {{"name", "api"}, {"permits", 1.5}}).kind() == base::ErrorKind::refused);
  CHECK(fixture.call("plugin.list").at(0).at("id") == "echo");
  CHECK(fixture.call("plugin.show", {{"plugin", "echo"}}).at("id") == "echo");
  CHECK(fixture.call("daemon.status").at("version") == "1.2.3");
  CHECK(fixture.call("daemon.ping").at("pong") == true);
}

TEST_CASE("No queue has an empty name") {
  Fixture fixture;
  for (const char* method : {"queue.pause", "queue.resume"}) {
    const auto refused = fixture.error(method, {{"queue", ""}});
    CHECK(refused.kind() == base::ErrorKind::refused);
    CHECK_THAT(refused.what(), Catch::Contains("the name of the queue is empty"));
  }
}
