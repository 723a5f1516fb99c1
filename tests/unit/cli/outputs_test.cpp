// Goal: what people and scripts read is what they need, with the exit code that the manual promises. Method: a daemon that
// answers what a test has written down.
#include <catch2/catch.hpp>

#include "fake_daemon.hpp"

using namespace godwit;
using cli::test::FakeDaemon;
namespace json = base::json;

namespace {

// What a command does when the daemon answers so.
FakeDaemon::Result with_answer(const json::value& answer, std::vector<std::string> words) {
  return FakeDaemon([&](int, const std::string&, const json::object&) { return answer; }).cli(std::move(words));
}

json::object status(const char* state) {
  return {{"version", "9.9"},
          {"uptime_seconds", 61},
          {"engine",
           {{"ready", true},
            {"runs_by_state", {{"queued", 0}, {"running", 1200}}},
            {"runs_resting", 3},
            {"more_in_store", true},
            {"steps_in_flight", 7},
            {"steps_done", 10},
            {"nodes", {{"alone", true}}}}},
          {"store", {{"state", state}, {"node", "vm"}, {"private", true}, {"journal", {{"waiting", 1}}}}},
          {"hosts",
           {{"hosts", {{{"state", "ready"}, {"pid", 5}}, {{"state", "quarantine"}, {"pid", nullptr}}}},
            {"scripts", json::array{{{"running", true}, {"scripts", 2}}}},
            {"problems", json::array{"x.so: is no plugin"}}}},
          {"jobs", {{"jobs", 4}, {"problems", json::array()}}},
          {"control", {{"sessions", 1}, {"socket", "/s"}, {"ending", "godwitd is ending, in 7s at the latest"}}}};
}

}  // namespace

TEST_CASE("the status is ten lines for people, and no success while the database is away") {
  const auto up = with_answer(status("up"), {"status"});
  CHECK(up.exit_code == 0);
  CHECK(up.out == R"(godwitd 9.9, up 1:01, database up
godwitd is ending, in 7s at the latest
runs     1,200 running, 3 asleep; more wait in the database for a place here
steps    7 under way, 10 done since the start
jobs     4
plugins  1 process, 1 stopped after crashes: see `godwit plugin list`
scripts  2 in 1 process
database godwitd's own, 1 fact waits to be written
node     vm, alone
clients  1 at /s
problem: x.so: is no plugin
)");
  for (const std::vector<std::string>& words : {std::vector<std::string>{"status"}, {"status", "--json"}}) {
    const auto away = with_answer(status("starting"), words);
    CHECK(away.exit_code == 4);
    CHECK_THAT(away.out, Catch::Contains("starting"));
  }
  CHECK(with_answer(status("up"), {"status", "-q"}).out == "up\n");
}

TEST_CASE("quiet commands print what a script needs and nothing else") {
  CHECK(with_answer(json::array{{{"command", "reload"}, {"target", ""}}, {{"command", "limit.set"}, {"target", "api"}}},
                    {"audit", "-q"})
            .out == "reload \nlimit.set api\n");
  CHECK(with_answer({{"job", "gate"}, {"version", "abc"}, {"file", "g.yaml"}}, {"job", "show", "gate", "-q"}).out ==
        "abc\n");
}

TEST_CASE("a job is shown with what is said of it, its schedules too") {
  const auto result = with_answer({{"job", "gate"},
                                   {"description", ""},
                                   {"version", "abc"},
                                   {"file", "g.yaml"},
                                   {"timeout", "2h"},
                                   {"queue", "night"},
                                   {"schedules", json::array{{{"name", "gate"}, {"cron", "@daily"}}}}},
                                  {"job", "show", "gate"});
  CHECK_THAT(result.out, Catch::StartsWith("gate\nfile g.yaml, version abc\ntimeout 2h\nqueue night\n") &&
                             Catch::Contains("@daily"));
}

TEST_CASE("a reload in which only plugins are wrong is refused input too") {
  const auto result = with_answer(
      {{"loaded", 1}, {"changed", 0}, {"problems", json::array()}, {"plugin_problems", json::array{"x.so: torn"}}},
      {"reload"});
  CHECK(result.exit_code == 6);
  CHECK_THAT(result.err, Catch::Contains("x.so: torn"));
}

TEST_CASE("the reset of a plugin that was not stopped says so") {
  CHECK(with_answer({{"plugin", "p"}, {"was_stopped", false}}, {"plugin", "reset", "p"}).out ==
        "plugin p was not stopped\n");
  CHECK(with_answer({{"plugin", "p"}, {"was_stopped", true}}, {"plugin", "reset", "p"}).out ==
        "plugin p starts again with its next call\n");
}

TEST_CASE("a failure is told on one line, its step once") {
  const json::object failed{{"state", "failed"},
                            {"error", {{"code", "exit_3"}, {"message", "it said:\nerr\n"}, {"path", "a"}}}};
  FakeDaemon* says = nullptr;
  FakeDaemon daemon([&](int, const std::string& method, const json::object&) -> json::value {
    if (method == "run.result") return failed;
    says->event({{"event", "state"}, {"run", 7}, {"state", "failed"}});
    return json::object{{"subscription", 1}};
  });
  says = &daemon;
  CHECK(daemon.cli({"result", "--wait", "7"}).err ==
        "godwit: run 7 failed in a: exit_3: it said: err; `godwit show 7` says more\n");
  const auto listed = with_answer(json::array{{{"run", 7}, {"state", "failed"}, {"error", failed.at("error")}}}, {"list"});
  CHECK_THAT(listed.out, Catch::Contains("exit_3: it said: err (step a)\n"));
}

TEST_CASE("a schedule that never fires again says so") {
  CHECK(with_answer(json::array(), {"schedule", "next", "old"}).out == "No fire time is to come.\n");
  CHECK(with_answer(json::array(), {"schedule", "next", "--at", "2020-01-01T00:00"}).out == "No fire time is to come.\n");
}

TEST_CASE("limits are taken back, and what counts then is said") {
  CHECK(with_answer({{"name", "api"}, {"limit", "4"}, {"source", "config"}}, {"limit", "unset", "api"}).out ==
        "limit api is now 4, as its config says\n");
  CHECK(with_answer({{"name", "api"}, {"limit", nullptr}, {"source", nullptr}}, {"limit", "unset", "api"}).out ==
        "limit api is gone\n");
}

TEST_CASE("the version is printed without a daemon, and arguments are called as help calls them") {
  const FakeDaemon daemon([](int, const std::string&, const json::object&) -> json::value { throw FakeDaemon::Gone(); });
  const auto version = daemon.cli({"--version"});
  CHECK(version.exit_code == 0);
  CHECK(version.out == "godwit " GODWIT_VERSION "\n");
  CHECK_THAT(daemon.cli({"submit"}).err, Catch::Contains("JOB|FILE is required"));
}
