// Goal: Lua jobs do the work of YAML ones in the real daemon: same journals, own version to the end, bad scripts told
// about and harmless to their neighbours. Method: the real programs; scripts with every kind of malice.
#include <catch2/catch.hpp>

#include <fstream>
#include <thread>

#include "model/script_bundle.hpp"
#include "support/daemon_process.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::DaemonProcess;
namespace json = base::json;

namespace {

// A daemon with a folder of scripts.
class Scripts {
 public:
  Scripts() { std::filesystem::create_directory(folder_ / "jobs"); }

  void put(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder_ / "jobs" / name).parent_path());
    std::ofstream(folder_ / "jobs" / name) << text;
  }
  void start() {
    daemon.emplace(support::DaemonOptions{.job_dirs = {(folder_ / "jobs").string()}});
    daemon->start();
  }
  std::int64_t submit(const std::string& job, const json::object& params = {}) {
    return daemon->call("run.submit", {{"job", job}, {"params", params}}).at("run").to_number<std::int64_t>();
  }
  std::vector<std::string> steps(std::int64_t run) {
    return daemon->query(
        "select path || ' ' || state || ' ' || coalesce(output::text, '') from godwit.steps where run = " +
        std::to_string(run) + " order by path");
  }

  std::optional<DaemonProcess> daemon;

 private:
  support::TempDir folder_;
};

std::string job(const std::string& name, const std::string& body, const std::string& header = "") {
  return "local gw = require \"godwit\"\nreturn gw.job { name = \"" + name + "\", " + header + " run = function(p)\n" +
         body + "\nend }\n";
}

std::string read_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

const std::filesystem::path kFlights = std::filesystem::path(GODWIT_SOURCE_DIR) / "scripts" / "flights";

}  // namespace

TEST_CASE("the flight jobs leave the same steps and results in both forms") {
  support::DaemonProcess daemon(support::DaemonOptions{.job_dirs = {kFlights.string()}});
  daemon.start();
  const auto one = [&](const std::string& name, json::object params) {
    std::vector<std::vector<std::string>> journals;
    std::vector<json::value> results;
    std::vector<std::string> emitted;
    for (const std::string& form : {name, name + "_lua"}) {
      const auto run =
          daemon.call("run.submit", {{"job", form}, {"params", params}}).at("run").to_number<std::int64_t>();
      const auto end = daemon.wait_for_end(run, 120s);
      INFO(json::serialize(end).substr(0, 500));
      REQUIRE(end.at("state") == "succeeded");
      results.push_back(end.at("result"));
      const std::string number = std::to_string(run);
      journals.push_back(
          daemon.query("select path || ' ' || state || ' ' || coalesce(output::jsonb::text, '') from "
                       "godwit.steps where run = " +
                       number + " order by path"));
      emitted.push_back(
          daemon.query("select count(*) || ' ' || coalesce(md5(string_agg(r, ',' order by r)), '') from "
                       "(select row::jsonb::text as r from godwit.emitted where run = " +
                       number + ") as x")[0]);
    }
    CHECK(results[0] == results[1]);
    CHECK(journals[0] == journals[1]);
    CHECK(journals[0].size() > 10);
    CHECK(emitted[0] == emitted[1]);
  };
  one("flock", base::parse_json(read_file(kFlights / "flock.params.json")).as_object());
  auto sweep = base::parse_json(read_file(kFlights / "sweep.params.json")).as_object();
  sweep["to"] = "2027-05-10";
  one("sweep", sweep);
}

TEST_CASE("a run keeps its version of script and modules, through a deploy and the death of the daemon") {
  Scripts scripts;
  const auto write = [&](const std::string& word) {
    scripts.put("lib/words.lua", "return {word = '" + word + "'}\n");
    scripts.put("words.lua",
                job("words",
                    "local first = gw.call('shell.run', {argv = {'echo', '-n', p.n}}, {retry_safe = true}).stdout\n"
                    "gw.wait('go')\nreturn require('lib.words').word .. ' '..  first .. ' " +
                        word + "'",
                    "params = {n = 'string'},"));
  };
  write("old");
  scripts.start();
  constexpr int kRuns = 1000;
  json::array params;
  for (int i = 0; i < kRuns; ++i) params.push_back(json::object{{"n", std::to_string(i)}});
  const auto runs =
      scripts.daemon->call("run.submit_many", {{"job", "words"}, {"params", params}}).at("runs").as_array();
  const auto waiting = [&] {
    return scripts.daemon->query(
        "select count(*) from godwit.steps where path = 'shell.run' and state = 'succeeded'")[0];
  };
  for (int i = 0; i < 6000 && waiting() != std::to_string(kRuns); ++i) std::this_thread::sleep_for(50ms);
  REQUIRE(waiting() == std::to_string(kRuns));
  write("new");
  scripts.daemon->kill();
  scripts.daemon->start();
  const auto fresh = scripts.submit("words", {{"n", "x"}});
  for (const auto& run : runs) scripts.daemon->call("run.signal", {{"run", run}, {"name", "go"}});
  scripts.daemon->call("run.signal", {{"run", fresh}, {"name", "go"}});
  CHECK(scripts.daemon->wait_for_end(fresh, 60s).at("result") == "new x new");
  for (int i = 0; i < kRuns; i += 1) {
    const auto end = scripts.daemon->wait_for_end(runs[static_cast<std::size_t>(i)].to_number<std::int64_t>(), 120s);
    REQUIRE(end.at("state") == "succeeded");
    REQUIRE(json::value_to<std::string>(end.at("result")) == "old " + std::to_string(i) + " old");
  }
}

TEST_CASE("hostile scripts end with a clear error while a neighbour goes on") {
  struct Case {
    std::string name;
    std::string body;
    std::string code;
    std::vector<std::string> told;
  };
  const std::vector<Case> cases{
      {"endless_loop", "while true do end", "cpu", {"without a step"}},
      {"pcall_loop", "while true do pcall(function() while true do end end) end", "cpu", {}},
      {"xpcall_loop", "while true do xpcall(error, function() while true do end end) end", "cpu", {}},
      {"close_loop",
       "local x <close> = setmetatable({}, {__close = function() while true do end end})\nwhile true do end",
       "cpu",
       {}},
      {"pattern_bomb",
       "return string.find(string.rep('a', 40000), string.rep('a?', 40000) .. 'b')",
       "script",
       {"pattern too complex"}},
      {"pattern_bomb_2",
       "return (string.rep('a', 30)):match(string.rep('.-', 25) .. 'b')",
       "cpu",
       {"inside one function"}},
      {"big_text", "return #string.rep('x', 1 << 30)", "script", {"too long"}},
      {"memory", "local t = {}\nwhile true do t[#t + 1] = ('x'):rep(100000) .. #t end", "memory", {"MiB"}},
      {"caught_memory", "local s = 'x'\nwhile true do pcall(function() s = s .. s end) end", "memory", {}},
      {"recursion", "local function f(n) return 1 + f(n) end\nreturn f(1)", "memory", {"MiB"}},
      {"globals", "counter = 1", "script", {"global names cannot be set"}},
      {"environment",
       "_ENV = setmetatable({}, {__index = function(_, name) error('no ' .. name) end})\nreturn print",
       "script",
       {"stack overflow"}},
      {"text_methods", "getmetatable('').__index = {}", "script", {}},
      {"yield_in_sort",
       "table.sort({2, 1, 3}, function(a, b) gw.sleep(1) return a < b end)",
       "script",
       {"a step cannot run here"}},
      {"outside", "return os.execute('true')", "script", {"'os' is not there"}},
      {"no_order", "for k in pairs({[print] = 1}) do end", "script", {"no order"}},
      {"many_steps", "for i = 1, 1000000 do gw.memo('m', function() return i end) end", "too_many_steps", {"gw.each"}},
  };
  Scripts scripts;
  scripts.put("neighbour.lua", job("neighbour",
                                   "local sum = 0\nfor i = 1, 40 do\n"
                                   "sum = sum + tonumber(gw.call('shell.run', {argv = {'echo', '-n', tostring(i)}}, "
                                   "{retry_safe = true}).stdout)\n"
                                   "gw.sleep('100ms') end\nreturn sum"));
  for (const auto& bad : cases) {
    // Who is to end for its memory has time for that on a busy machine.
    const std::string cpu = bad.code == "cpu" ? "300ms" : "20s";
    scripts.put(bad.name + ".lua", job(bad.name, bad.body, "budget = {cpu = '" + cpu + "', memory = '32MiB'},"));
  }
  scripts.put("bytecode.lua", "\x1bLua .job");
  scripts.start();
  const auto neighbour = scripts.submit("neighbour");
  std::vector<std::int64_t> runs;
  for (const auto& bad : cases) runs.push_back(scripts.submit(bad.name));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto end = scripts.daemon->wait_for_end(runs[i], 120s);
    INFO(cases[i].name << ": " << json::serialize(end));
    CHECK(end.at("state") == "failed");
    CHECK(json::value_to<std::string>(end.at("error").at("code")) == cases[i].code);
    const std::string message(end.at("error").at("message").as_string());
    CHECK_THAT(message, Catch::Contains(cases[i].name + ".lua:"));
    CHECK_THAT(message, !Catch::Contains("[C]"));
    for (const auto& part : cases[i].told) CHECK_THAT(message, Catch::Contains(part));
  }
  const auto end = scripts.daemon->wait_for_end(neighbour, 120s);
  INFO(json::serialize(end));
  CHECK(end.at("state") == "succeeded");
  CHECK(end.at("result") == 820);
  const auto verdict = scripts.daemon->call(
      "job.validate",
      {{"file", "b.lua"},
       {"text", "{\"godwit.script\":1,\"file\":\"b.lua\",\"header\":null,\"modules\":{},\"text\":\"\\u001bLua\"}"}});
  CHECK_THAT(json::serialize(verdict), Catch::Contains("binary"));
}

TEST_CASE("the scripts that the documentation shows are good jobs") {
  Scripts scripts;
  scripts.start();
  const std::string text = read_file(std::filesystem::path(GODWIT_SOURCE_DIR) / "scripts" / "README.md");
  int found = 0;
  for (std::size_t at = text.find("```lua\n"); at != std::string::npos; at = text.find("```lua\n", at + 1)) {
    const std::string body = text.substr(at + 7, text.find("```", at + 7) - at - 7);
    if (body.find("gw.job") == std::string::npos) continue;
    ++found;
    const auto bundle = model::collect_script("readme.lua", body, [](const std::string&) { return std::nullopt; });
    const auto verdict = scripts.daemon->call("job.validate", {{"file", "readme.lua"}, {"text", bundle.to_text()}});
    INFO(body << json::serialize(verdict));
    CHECK(verdict.at("valid") == true);
  }
  CHECK(found >= 2);
  // And one of them runs.
  const std::size_t begin = text.find("name = \"cheapest-day\"");
  REQUIRE(begin != std::string::npos);
  const std::size_t start = text.rfind("```lua\n", begin) + 7;
  const auto bundle = model::collect_script("day.lua", text.substr(start, text.find("```", start) - start),
                                            [](const std::string&) { return std::nullopt; });
  const auto run = scripts.daemon
                       ->call("run.submit", {{"file", "day.lua"},
                                             {"text", bundle.to_text()},
                                             {"params", {{"from", "2027-01-01"}, {"to", "2027-01-31"}}}})
                       .at("run")
                       .to_number<std::int64_t>();
  CHECK(scripts.daemon->wait_for_end(run).at("result").at("amount") == 30);
}

TEST_CASE("a failed run of a script is continued with what it had finished") {
  Scripts scripts;
  scripts.put(
      "gate.lua",
      job("gate",
          "local a = gw.call('shell.run', {argv = {'date', '+%s%N'}}, {retry_safe = true}).stdout\n"
          "local ok = gw.try(function() gw.call('shell.run', {argv = {'cat', '/nowhere'}}, {retry_safe = true}) end)\n"
          "gw.call('shell.run', {argv = {'cat', p.file}}, {retry_safe = true, name = 'gate'})\nreturn {a, ok}",
          "params = {file = 'string'},"));
  scripts.start();
  support::TempDir folder;
  const std::string gate = (folder / "gate").string();
  const auto run = scripts.submit("gate", {{"file", gate}});
  REQUIRE(scripts.daemon->wait_for_end(run).at("state") == "failed");
  const auto first = scripts.steps(run);
  std::ofstream(gate) << "open";
  const auto again = scripts.daemon->call("run.retry", {{"run", run}}).at("run").to_number<std::int64_t>();
  const auto end = scripts.daemon->wait_for_end(again);
  INFO(json::serialize(end));
  REQUIRE(end.at("state") == "succeeded");
  // The first call was not made again: its time is the old one.
  CHECK_THAT(first[1] + first[2], Catch::Contains(json::serialize(end.at("result").at(0))));
  CHECK(end.at("result").at(1) == false);
}

TEST_CASE("locks, turns and runs that continue outlive the daemon; both sides of a mismatch are shown in lines") {
  Scripts scripts;
  scripts.put("holder.lua", job("holder", "gw.lock('one', function() gw.wait('go') end) return 'held'"));
  scripts.put("waiter.lua", job("waiter", "return gw.lock('one', function() return 'had' end)"));
  scripts.put(
      "turn.yaml",
      "job: turn\nparams: {k: string}\nconcurrency: '${ params.k }'\nstages:\n  wait: {wait_signal: go}\nresult: 1\n");
  scripts.put("chain.lua", job("chain", "if p.n < 3 then gw.continue_as({n = p.n + 1}) end return p.n",
                               "params = {n = 'integer'},"));
  scripts.put("files.lua", job("files",
                               "local f = gw.artifact('a.bin', '\\xff\\0bytes') return {#gw.content(f), "
                               "gw.content(gw.artifact('a.txt', 'text')), f.size}"));
  scripts.put("moved.lua", job("moved", "gw.call('shell.run', {argv = {'true'}})\ngw.wait('go') return 'old'"));
  scripts.start();
  const auto why = [&](std::int64_t run) { return json::serialize(scripts.daemon->call("run.why", {{"run", run}})); };
  const auto until = [&](std::int64_t run, const std::string& text) {
    for (int i = 0; i < 600 && why(run).find(text) == std::string::npos; ++i) std::this_thread::sleep_for(50ms);
    CHECK_THAT(why(run), Catch::Contains(text));
  };
  const auto holder = scripts.submit("holder");
  until(holder, "waits for the signal 'go'");  // in the lock
  const auto waiter = scripts.submit("waiter");
  const auto first = scripts.submit("turn", {{"k", "a"}}), second = scripts.submit("turn", {{"k", "a"}});
  const auto moved = scripts.submit("moved");
  until(waiter, "waits for the lock 'one', which run " + std::to_string(holder));
  until(second, "run " + std::to_string(first) + " has it");
  until(moved, "waits for the signal 'go'");
  // As if the script under the run had been changed, which no deploy does.
  scripts.daemon->query(
      "update godwit.job_version set text = replace(text, '''true''', '''false''') where job = 'moved' returning 1");
  scripts.put("moved.lua", job("moved", "local new = true\ngw.call('shell.run', {argv = {'ls'}})\ngw.wait('go') return 'new'"));
  scripts.daemon->kill();
  scripts.daemon->start();
  until(waiter, "waits for the lock 'one', which run " + std::to_string(holder));
  until(second, "run " + std::to_string(first) + " has it");
  scripts.daemon->call("run.signal", {{"run", holder}, {"name", "go"}});
  CHECK(scripts.daemon->wait_for_end(waiter, 30s).at("result") == "had");
  CHECK(scripts.daemon->wait_for_end(holder, 30s).at("result") == "held");
  scripts.daemon->call("run.signal", {{"run", first}, {"name", "go"}});
  scripts.daemon->call("run.signal", {{"run", second}, {"name", "go"}});
  CHECK(scripts.daemon->wait_for_end(second, 30s).at("result") == 1);
  CHECK(scripts.daemon->query("select count(*) from godwit.lock")[0] == "0");

  const auto chain = scripts.submit("chain", {{"n", 1}});
  scripts.daemon->wait_for_end(chain, 30s);
  for (int i = 0; i < 600 && scripts.daemon->query("select count(*) from godwit.results where job = 'chain'")[0] != "3";
       ++i)
    std::this_thread::sleep_for(50ms);
  CHECK(scripts.daemon->query(
            "select result::text from godwit.results where job = 'chain' order by run desc limit 1")[0] == "3");
  CHECK_THAT(json::serialize(scripts.daemon->call("run.show", {{"run", chain}})), Catch::Contains("goes on from here"));

  const auto files = scripts.submit("files");
  const auto end = scripts.daemon->wait_for_end(files, 30s);
  INFO(json::serialize(end));
  CHECK(json::serialize(end.at("result")) == R"([7,"text",7])");
  CHECK(scripts.daemon->query("select count(*) from godwit.artifacts where run = " + std::to_string(files))[0] == "2");

  // A version that asks for something else is refused with both sides, and so is the run when it comes back.
  const auto migrated = scripts.daemon->cli({"run", "migrate", std::to_string(moved), "--to", "latest"});
  CHECK(migrated.exit_code == 1);
  CHECK_THAT(migrated.out, Catch::Contains("recorded    shell.run at moved.lua:3 succeeded") &&
                               Catch::Contains("asked now   shell.run (shell.run) at moved.lua:4"));
  scripts.daemon->call("run.signal", {{"run", moved}, {"name", "go"}});
  for (int i = 0; i < 600 && why(moved).find("blocked") == std::string::npos; ++i) std::this_thread::sleep_for(50ms);
  const auto shown = scripts.daemon->cli({"show", std::to_string(moved)});
  CHECK_THAT(shown.out, Catch::Contains("recorded    shell.run at moved.lua:3 succeeded") &&
                            Catch::Contains("asked now   shell.run (shell.run) at moved.lua:3") &&
                            Catch::Contains("version") && Catch::Contains("with {\"argv\":[\"false\"]}"));
}
