// Goal: what a person does with the command line works on the real daemon, and says so in words and exit codes.
#include <signal.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "support/daemon_process.hpp"
#include "support/file_text.hpp"

using namespace godwit;
using support::DaemonProcess;
namespace json = base::json;

namespace {

// One daemon for all cases of this file: each submits its own runs.
DaemonProcess& daemon() {
  static support::TempDir jobs;
  static DaemonProcess process(
      [] {
        std::ofstream(jobs / "hello.yaml")
            << "job: hello\nparams: {who: {type: string, default: world}}\nstages:\n  say: {uses: noop, with: {text: "
               "'hello ${ params.who }'}}\nresult: '${ stages.say.text }'\n";
        std::ofstream(jobs / "bad.yaml") << "job: bad\nstages:\n  s: {usess: noop}\n";
        return support::DaemonOptions{.job_dirs = {jobs.path().string()}};
      }());
  if (!process.running()) process.start();
  return process;
}

const std::string kPrograms = GODWIT_BINARY_DIR "/bin/";

// A line of the shell that calls our programs.
support::CommandResult shell(const std::string& line) {
  return support::run_command("/bin/sh", {"-c", "cd \"" + kPrograms + "\" && " + line});
}

std::int64_t run_number(const std::string& output) {
  return std::stoll(output.substr(output.find_first_of("0123456789")));
}

}  // namespace

TEST_CASE("submit --wait prints the result and exits with 0") {
  const auto result = daemon().cli({"submit", "hello", "-p", "who=there", "--wait"});
  INFO(result.err);
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.out, Catch::Contains("hello there"));
}

TEST_CASE("a failed run exits with 1 and names the step and the cause") {
  support::TempDir dir;
  std::ofstream(dir / "f.yaml")
      << "job: f\nstages:\n  breaks: {uses: fail, with: {code: broken, message: the reason}}\n";
  const auto result = daemon().cli({"submit", (dir / "f.yaml").string(), "--wait"});
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.out + result.err,
             Catch::Contains("breaks") && Catch::Contains("broken") && Catch::Contains("the reason"));
}

TEST_CASE("each wrong call has its exit code") {
  CHECK(daemon().cli({"frobnicate"}).exit_code == 2);
  CHECK(daemon().cli({"show", "999999"}).exit_code == 3);
  CHECK(daemon().cli({"submit", "helo"}).exit_code == 3);
  CHECK_THAT(daemon().cli({"submit", "helo"}).err, Catch::Contains("did you mean 'hello'"));
  CHECK(daemon().cli({"submit", "hello", "-p", "whom=x"}).exit_code == 6);
  CHECK(support::run_command(std::string(GODWIT_BINARY_DIR) + "/bin/godwit",
                             {"--socket", "/nonexistent/socket", "status"})
            .exit_code == 4);
}

TEST_CASE("the same key gives the same run") {
  const auto first = daemon().cli({"submit", "hello", "--key", "k1"}),
             second = daemon().cli({"submit", "hello", "--key", "k1"});
  CHECK(run_number(first.out) == run_number(second.out));
}

TEST_CASE("lists, shows, logs and the rest answer in words and in JSON") {
  const auto run = std::to_string(run_number(daemon().cli({"submit", "hello"}).out));
  daemon().wait_for_end(std::stoll(run));
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{{"list"},
                                                                                       {"show", run},
                                                                                       {"logs", run},
                                                                                       {"result", run},
                                                                                       {"why", run},
                                                                                       {"job", "list"},
                                                                                       {"job", "show", "hello"},
                                                                                       {"job", "graph", "hello"},
                                                                                       {"plugin", "list"},
                                                                                       {"limit", "list"},
                                                                                       {"status"},
                                                                                       {"audit"}}) {
    INFO(command[0] << " " << (command.size() > 1 ? command[1] : ""));
    CHECK(daemon().cli(command).exit_code == 0);
    auto as_json = command;
    as_json.insert(as_json.begin(), "--json");
    const auto result = daemon().cli(as_json);
    CHECK(result.exit_code == 0);
    CHECK(base::is_json(result.out));
  }
}

TEST_CASE("a list fits into an answer however long the parameters of its runs are") {
  const json::object params{{"who", std::string(1'500'000, 'x')}};
  std::int64_t run = 0;
  for (int i = 0; i < 7; ++i)
    run = daemon().call("run.submit", {{"job", "hello"}, {"params", params}}).at("run").to_number<std::int64_t>();
  const auto listed = daemon().cli({"list", "--json", "--limit", "7"});
  INFO(listed.err);
  CHECK(listed.exit_code == 0);
  CHECK(base::parse_json(listed.out).as_array().size() == 7);
  CHECK(daemon().call("run.show", {{"run", run}}).at("params") == params);
  daemon().wait_for_end(run);
}

TEST_CASE("a job file that is wrong is reported and the others are there") {
  const auto status = daemon().cli({"status"});
  CHECK_THAT(status.out, Catch::Contains("bad.yaml:3") && Catch::Contains("usess"));
  CHECK_THAT(daemon().cli({"job", "list"}).out, Catch::Contains("hello"));
}

TEST_CASE("pause, resume and cancel do what they say") {
  support::TempDir dir;
  std::ofstream(dir / "slow.yaml")
      << "job: slow\nstages:\n  s: {foreach: '${ range(1, 1000) }', parallel: 1, uses: sleep, with: {seconds: 0.05}}\n";
  const auto run = std::to_string(run_number(daemon().cli({"submit", (dir / "slow.yaml").string()}).out));
  CHECK(daemon().cli({"pause", run}).exit_code == 0);
  CHECK_THAT(daemon().cli({"why", run}).out, Catch::Contains("paused"));
  CHECK(daemon().cli({"resume", run}).exit_code == 0);
  CHECK(daemon().cli({"cancel", run}).exit_code == 0);
  CHECK(daemon().wait_for_end(std::stoll(run)).at("state") == "cancelled");
  CHECK(daemon().cli({"cancel", run}).exit_code == 6);
  CHECK_THAT(daemon().cli({"audit"}).out, Catch::Contains("run.cancel"));
}

TEST_CASE("following prints lines in a pipe and ends with the run") {
  support::TempDir dir;
  std::ofstream(dir / "s.yaml")
      << "job: s\nstages:\n  s: {foreach: '${ range(1, 200) }', parallel: 4, uses: sleep, with: {seconds: 0.05}}\n";
  const auto result = daemon().cli({"submit", (dir / "s.yaml").string(), "--follow"});
  INFO(result.out << result.err);
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.out + result.err, Catch::Contains("200"));
}

TEST_CASE("an application submits in its own transaction and polls with SQL") {
  daemon().query("begin; select godwit.submit('hello', '{\"who\": \"nobody\"}', 'rolled-back'); rollback");
  const auto run = daemon().query("select godwit.submit('hello', '{\"who\": \"sql\"}', 'from-sql')").at(0);
  CHECK(daemon().wait_for_end(std::stoll(run)).at("result") == "hello sql");
  CHECK(daemon().query("select result from godwit.results where run = " + run).at(0) == "\"hello sql\"");
  CHECK(daemon().query("select state from godwit.runs where run = " + run).at(0) == "succeeded");
  CHECK(daemon().query("select path from godwit.steps where run = " + run).at(0) == "say");
  CHECK(daemon().query("select godwit.submit('hello', '{\"who\": \"again\"}', 'from-sql')").at(0) == run);
  const auto refused = daemon().query("select godwit.submit('hello', '{\"whom\": 1}')").at(0);
  CHECK(daemon().wait_for_end(std::stoll(refused)).at("state") == "failed");
}

TEST_CASE("what came by SQL while no daemon was there is taken up at its start") {
  support::TempDir jobs;
  std::ofstream(jobs / "hello.yaml")
      << "job: hello\nparams: {who: string}\nstages:\n  say: {uses: noop, with: {text: 'hello "
         "${ params.who }'}}\nresult: '${ stages.say.text }'\n";
  DaemonProcess own({.job_dirs = {jobs.path().string()}});
  own.start();
  own.kill();
  const auto run = own.query("select godwit.submit('hello', '{\"who\": \"nobody there\"}')").at(0);
  own.start();
  CHECK(own.wait_for_end(std::stoll(run)).at("result") == "hello nobody there");
}

TEST_CASE("reload takes new jobs and SIGTERM ends in order") {
  support::TempDir jobs;
  DaemonProcess own({.job_dirs = {jobs.path().string()}});
  own.start();
  CHECK(own.cli({"submit", "later"}).exit_code == 3);
  std::ofstream(jobs / "later.yaml") << "job: later\nstages:\n  s: {uses: noop, with: {v: 1}}\n";
  const auto reloaded = own.cli({"reload"});
  CHECK(reloaded.exit_code == 6);  // of the tests' plugins one is for another ABI
  CHECK_THAT(reloaded.err, Catch::Contains("abi2.so"));
  CHECK_THAT(reloaded.out, Catch::Contains("1 jobs new or changed"));
  CHECK(own.cli({"submit", "later", "--wait"}).exit_code == 0);
  const auto exit = own.stop();
  INFO(own.log());
  CHECK(exit.clean());
  CHECK(own.postmaster() == 0);
}

TEST_CASE("a state directory has one daemon until its end is over, which says what it waits for") {
  support::TempDir dir;
  std::ofstream(dir / "nap.yaml") << "job: nap\nstages:\n  s: {uses: sleep, with: {seconds: 600}}\n";
  DaemonProcess own;
  own.start();
  const auto run = std::to_string(run_number(own.cli({"submit", (dir / "nap.yaml").string()}).out));
  const auto server = own.postmaster();
  while (own.call("daemon.status").at("engine").at("steps_in_flight") != 1) {
  }
  const auto second = [&] {
    return support::run_command(std::string(GODWIT_BINARY_DIR) + "/bin/godwitd",
                                {"--state-dir", (own.dir() / "state").string(), "--socket", (dir / "other").string()});
  };
  const auto refused = second();
  INFO(refused.err);
  CHECK(refused.exit_code == 1);
  CHECK_THAT(refused.err, Catch::Contains("pid " + std::to_string(own.pid()) + " uses this state directory"));

  own.signal(SIGTERM);
  support::CommandResult ending;
  do ending = own.cli({"limit", "set", "any", "1"});
  while (ending.err.empty() && own.running());
  INFO(ending.err);
  CHECK(ending.exit_code == 4);
  CHECK_THAT(ending.err, Catch::Contains("godwitd is ending, in ") && Catch::Contains("step s of run " + run));
  CHECK_THAT(own.cli({"status"}).out, Catch::Contains("ending"));
  CHECK_THAT(own.cli({"show", run}).out, Catch::Contains("running"));
  CHECK(second().exit_code == 1);
  CHECK(own.postmaster() == server);
}

TEST_CASE("with a closed standard output nothing is printed into the control socket, and the loss is told") {
  const std::string submit = "./godwit --socket '" + daemon().socket() + "' submit hello";
  for (const char* closed : {">&-", "<&- >&-"}) {
    const auto lost = shell(submit + " -q " + closed);
    CHECK(lost.exit_code == 1);
    CHECK(lost.err == "godwit: cannot write to standard output\n");
  }
  const auto silent = shell(submit + " -q 2>&-");
  CHECK(silent.exit_code == 0);
  CHECK(daemon().wait_for_end(run_number(silent.out)).at("state") == "succeeded");
}

TEST_CASE("what cannot be written to standard output is an error of the programs behind godwit, and of godwitd") {
  support::TempDir dir;
  const std::string file = (dir / "j.yaml").string();
  std::ofstream(file) << "job: j\nstages:\n  s: {uses: noop, with: {v: 1}}\n";
  std::ofstream(dir / "j.test.yaml") << "tests:\n  it ends: {expect: {calls: {noop: 1}}}\n";
  const std::string plugins = " --plugin-dir '" GODWIT_BINARY_DIR "/test-plugins'";
  for (const char* command : {"./godwit job schema", "./godwit lua stubs", "./godwit plugin check --list",
                              "./godwitd --print-config", "./godwitd --help", "./godwitd --version"}) {
    INFO(command);
    CHECK(shell(command).exit_code == 0);
    const auto result = shell(std::string(command) + " >/dev/full");
    CHECK(result.exit_code == 1);
    CHECK_THAT(result.err, Catch::StartsWith("godwit") && Catch::EndsWith(": cannot write to standard output\n"));
  }
  for (const std::string& command :
       {"job convert '" + file + "'", "job graph '" + file + "'", "job test '" + file + "'" + plugins}) {
    INFO(command);
    CHECK(shell("./godwit " + command).exit_code == 0);
    const auto result = shell("./godwit " + command + " >/dev/full");
    CHECK(result.exit_code == 1);
    CHECK(result.err == "godwit: cannot write to standard output\n");
  }
}

TEST_CASE("the end of whoever reads the daemon's log is not the daemon's end") {
  std::istringstream status(support::file_text("/proc/" + std::to_string(daemon().pid()) + "/status"));
  std::string word;
  while (status >> word && word != "SigIgn:") {
  }
  std::uint64_t ignored = 0;
  status >> std::hex >> ignored;
  CHECK((ignored & std::uint64_t{1} << (SIGPIPE - 1)) != 0);
}
