// Goal: what people and scripts read is what they need, with the exit code that the manual promises. Method: a daemon that
// answers what a test has written down.
#include <catch2/catch.hpp>
#include <fstream>

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
  auto down = status("down");
  down["store"].as_object()["error"] = "no server\nat /tmp/x";
  down["store"].as_object()["since"] = "2026-11-22T16:45:41Z";
  CHECK_THAT(with_answer(down, {"status"}).out, Catch::Contains("\ntrouble  no server at /tmp/x, since 2026-11-2"));
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

TEST_CASE("a result that no answer carries is told of by its size, and the run is not blamed") {
  const json::object answer{{"state", "succeeded"}, {"result_bytes", 9u << 20}, {"error", nullptr}};
  FakeDaemon* says = nullptr;
  FakeDaemon daemon([&](int, const std::string& method, const json::object&) -> json::value {
    if (method == "run.result") return answer;
    if (method == "run.submit") return json::object{{"run", 7}, {"existing", false}};
    says->event({{"event", "state"}, {"run", 7}, {"state", "succeeded"}});
    return json::object{{"subscription", 1}};
  });
  says = &daemon;
  const std::string told =
      "godwit: the result of run 7 has 9.0 MiB, more than an answer carries; read it with SQL: select result from "
      "godwit.results where run = 7\n";
  for (const auto& [words, code] : {std::pair<std::vector<std::string>, int>{{"result", "7"}, 6},
                                    {{"result", "--wait", "7"}, 6},
                                    {{"submit", "flock", "--wait"}, 0},
                                    {{"watch", "7", "-q"}, 0}}) {
    const auto result = daemon.cli(words);
    CHECK(result.exit_code == code);
    CHECK(result.out.empty());
    CHECK(result.err == told);
  }
  CHECK(daemon.cli({"result", "7", "--json"}).out == json::serialize(answer) + "\n");
}

TEST_CASE("parameters that no answer carries are told of by their size, and are not left out of an export") {
  const json::object shown{
      {"run", 7}, {"job", "flock"}, {"params_bytes", 5u << 20}, {"steps", json::array()}, {"more_steps", false}};
  CHECK_THAT(with_answer(shown, {"show", "7"}).out,
             Catch::Contains("the params of run 7 have 5.0 MiB") &&
                 Catch::Contains("select params from godwit.runs where run = 7"));
  const auto exported = with_answer(shown, {"run", "export", "7"});
  CHECK(exported.exit_code == 6);
  CHECK(exported.out.empty());
}

TEST_CASE("the lines of a run are read to the last, however short the daemon keeps its pages") {
  const FakeDaemon daemon([](int, const std::string&, const json::object& params) -> json::value {
    const auto after = params.at("after").to_number<std::int64_t>();
    return after == 3 ? json::array()
                      : json::array{{{"seq", after + 1}, {"text", "line " + std::to_string(after + 1)}}};
  });
  CHECK_THAT(daemon.cli({"logs", "7"}).out, Catch::Contains("line 1") && Catch::Contains("line 3"));
  CHECK(base::parse_json(daemon.cli({"logs", "7", "--json"}).out).as_array().size() == 3);
}

TEST_CASE("what cannot be written to standard output is an error of every command") {
  FakeDaemon daemon([](int, const std::string& method, const json::object&) -> json::value {
    if (method == "run.submit") return json::object{{"run", 7}, {"existing", false}};
    return json::array(500, json::object{{"run", 7}, {"job", std::string(30, 'x')}, {"state", "failed"}});
  });
  for (const std::vector<std::string>& words : {std::vector<std::string>{"list"},
                                                {"list", "-q"},
                                                {"list", "--json"},
                                                {"submit", "flock", "-q"},
                                                {"completion", "bash"},
                                                {"--version"},
                                                {"--help"}}) {
    INFO(words.front());
    const auto result = daemon.cli(words, "/dev/full");
    CHECK(result.exit_code == 1);
    CHECK(result.err == "godwit: cannot write to standard output\n");
  }
  CHECK(daemon.cli({"--version"}).exit_code == 0);
}

TEST_CASE("a command line that says what nobody means is refused before the daemon hears of it") {
  const FakeDaemon daemon(
      [](int, const std::string&, const json::object&) -> json::value { throw FakeDaemon::Gone(); });
  const auto empty_key = daemon.cli({"submit", "flock", "--key", ""});
  CHECK(empty_key.exit_code == 2);
  CHECK_THAT(empty_key.err, Catch::Contains("the key is empty"));
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--only", ""},
                                                {"--only", ","},
                                                {"--stop-after", ""},
                                                {"--stop-after", "", "--count", "2"}}) {
    auto all = words;
    all.insert(all.begin(), {"submit", "flock"});
    const auto no_stage = daemon.cli(all);
    CHECK(no_stage.exit_code == 2);
    CHECK_THAT(no_stage.err, Catch::Contains("leave " + words[0] + " out for all stages"));
  }
  const auto no_json = daemon.cli({"retry", "7", "--set", "one={"});
  CHECK(no_json.exit_code == 2);
  CHECK_THAT(no_json.err,
             Catch::Contains("what follows the = is no JSON") && Catch::Contains("--set 'one=\"some text\"'"));
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

TEST_CASE("a folder for imported jobs that cannot be made is told with the reason") {
  const FakeDaemon daemon(
      [](int, const std::string&, const json::object&) -> json::value { throw FakeDaemon::Gone(); });
  const support::TempDir dir;
  std::ofstream(dir / "tab") << "* * * * * echo hi\n";
  for (const auto& folder : {dir / "tab", dir / "tab" / "jobs"}) {
    const auto result = daemon.cli({"schedule", "import", (dir / "tab").string(), "-o", folder.string()});
    CHECK(result.exit_code == 6);
    CHECK(result.err == "godwit: " + folder.string() + ": the folder cannot be made: Not a directory\n");
  }
}
