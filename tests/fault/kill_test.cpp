// Goal: kill anything at any moment, and the run ends with the result of an undisturbed one; what was recorded as
// finished is never sent again. Method: a sweep of 2,000 searches against a provider that writes down every call before
// it answers, while processes are killed at random moments. The seed is printed; the moments depend on the machine's
// speed all the same.
#include <signal.h>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "support/daemon_process.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::DaemonProcess;
namespace json = base::json;

namespace {

constexpr int kSearches = 2000;
constexpr auto kJob = R"(
job: sweep
params: {count: integer, delay_ms: integer}
stages:
  search:
    foreach: "${ range(1, params.count) }"
    parallel: 16
    uses: count-search/1.search
    with: {n: "${ item }", delay_ms: "${ params.delay_ms }"}
    output: {price: "${ output.price }", hash: "${ output.hash }"}
result: "${ stages.search.items }"
)";
constexpr auto kScript = R"(
local gw = require "godwit"
return gw.job {
  name = "sweep_lua",
  params = { count = "integer", delay_ms = "integer" },
  run = function(p)
    return gw.each("search", range(1, p.count), { parallel = 16, on_error = "record" }, function(n)
      return gw.call("count-search/1", "search", { n = n, delay_ms = p.delay_ms },
                     { output = { price = "${ output.price }", hash = "${ output.hash }" } })
    end)
  end,
}
)";

std::uint64_t new_seed() {
  const char* given = std::getenv("GODWIT_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

std::map<std::string, int> count_lines(const std::string& file) {
  std::map<std::string, int> counts;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) ++counts[line.substr(0, line.find('\t'))];
  return counts;
}

// A daemon with the counting provider, and the promise that is checked: the number of calls of a recorded step never
// changes.
class Sweep {
 public:
  explicit Sweep(std::string job = "sweep") : job_(std::move(job)) {
    std::filesystem::create_directory(jobs_ / "jobs");
    std::ofstream(jobs_ / "jobs" / "sweep.yaml") << kJob;
    std::ofstream(jobs_ / "jobs" / "sweep.lua") << kScript;
    calls_ = (jobs_ / "calls.log").string();
    daemon.emplace(support::DaemonOptions{.settings = "plugins: {test.count: {units: {count: {log: " + calls_ +
                                                      "}}, files: {write: [" + jobs_.path().string() + "]}}}\n",
                                          .job_dirs = {(jobs_ / "jobs").string()}});
    daemon->start();
  }

  std::int64_t submit(int delay_ms) {
    return daemon->call("run.submit", {{"job", job_}, {"params", {{"count", kSearches}, {"delay_ms", delay_ms}}}})
        .at("run")
        .to_number<std::int64_t>();
  }
  // To be called while nothing is being sent: what is recorded now has been called as often as it ever will be.
  void remember(std::int64_t run) {
    const std::string prefix = ":" + std::to_string(run) + ":";
    const auto counts = count_lines(calls_);
    for (const auto& path : daemon->query("select path from godwit.steps where run = " + std::to_string(run) +
                                          " and state = 'succeeded' and path like 'search[_%]'")) {
      for (const auto& [key, count] : counts) {
        if (key.size() > path.size() && key.ends_with(prefix + path)) final_counts_[key] = count;
      }
    }
  }
  void check_nothing_was_repeated() const {
    const auto counts = count_lines(calls_);
    for (const auto& [key, count] : final_counts_) {
      INFO(key << " was recorded after " << count << " calls and has " << counts.at(key) << " now");
      REQUIRE(counts.at(key) == count);
    }
  }
  std::size_t remembered() const { return final_counts_.size(); }
  std::size_t calls() const {
    std::size_t sum = 0;
    for (const auto& [key, count] : count_lines(calls_)) sum += static_cast<std::size_t>(count);
    return sum;
  }

  std::optional<DaemonProcess> daemon;

 private:
  std::string job_;
  support::TempDir jobs_;
  std::string calls_;
  std::map<std::string, int> final_counts_;
};

bool database_is_up(Sweep& sweep) {
  return json::serialize(sweep.daemon->call("daemon.status")).find("\"state\":\"up\"") != std::string::npos;
}

}  // namespace

TEST_CASE("the daemon is killed fifty times during a sweep", "[daemon]") {
  const auto seed = new_seed();
  INFO("GODWIT_SEED=" << seed);
  std::mt19937_64 random(seed);
  Sweep sweep(GENERATE(as<std::string>{}, "sweep", "sweep_lua"));
  const auto undisturbed = sweep.daemon->wait_for_end(sweep.submit(1)).at("result");
  REQUIRE(undisturbed.as_array().size() == kSearches);
  const std::size_t calls_before = sweep.calls();
  const auto run = sweep.submit(30);
  int kills = 0;
  std::uint64_t reach_ms = 120;
  while (kills < 50) {
    // Where nothing at all is finished in between, as with sanitizers on a busy machine, the kills would prove nothing.
    if (kills % 5 == 4 && sweep.remembered() == 0) reach_ms *= 2;
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % reach_ms));
    sweep.daemon->kill();
    ++kills;
    // The plugin's process dies with the daemon, by the kernel's hand and not in the same instant.
    while (!sweep.daemon->hosts("count").empty()) std::this_thread::sleep_for(1ms);
    sweep.remember(run);
    sweep.daemon->launch();
    if (random() % 4) sweep.daemon->wait_ready();
  }
  sweep.daemon->wait_ready();
  const auto result = sweep.daemon->wait_for_end(run, 120s).at("result");
  sweep.check_nothing_was_repeated();
  // Equal but for the delay, which is an argument and so part of what the provider answers.
  REQUIRE(result.as_array().size() == undisturbed.as_array().size());
  const auto quiet = sweep.daemon->wait_for_end(sweep.submit(30)).at("result");
  CHECK(result == quiet);
  CHECK(sweep.remembered() > 0);
  WARN("50 kills: " << sweep.remembered() << " steps were finished before a kill, "
                    << sweep.calls() - calls_before - kSearches << " calls for " << kSearches << " searches");
}

TEST_CASE("the database's postmaster is killed during a sweep", "[postmaster]") {
  const auto seed = new_seed();
  INFO("GODWIT_SEED=" << seed);
  std::mt19937_64 random(seed);
  Sweep sweep;
  const auto run = sweep.submit(30);
  for (int kills = 0; kills < 50; ++kills) {
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 250));
    const pid_t server = sweep.daemon->postmaster();
    if (server > 0) ::kill(server, SIGKILL);
    // The database comes back by itself, and the daemon never goes away.
    while (sweep.daemon->postmaster() == 0 || sweep.daemon->postmaster() == server || !database_is_up(sweep))
      std::this_thread::sleep_for(5ms);
    REQUIRE(sweep.daemon->running());
  }
  const auto result = sweep.daemon->wait_for_end(run, 120s).at("result");
  const auto quiet = sweep.daemon->wait_for_end(sweep.submit(30)).at("result");
  CHECK(result == quiet);
  sweep.remember(run);
  // Nobody lost a call here: the daemon and the plugin lived, so each search was sent once.
  for (const auto& count : sweep.daemon->query("select count(*) from godwit.steps where run = " + std::to_string(run) +
                                               " and path like 'search[_%]'"))
    CHECK(count == std::to_string(kSearches));
}

TEST_CASE("the plugin's process is killed during a sweep", "[plugin]") {
  const auto seed = new_seed();
  INFO("GODWIT_SEED=" << seed);
  std::mt19937_64 random(seed);
  Sweep sweep;
  const auto run = sweep.submit(30);
  int kills = 0, in_vain = 0;
  std::uint64_t reach_ms = 150;
  std::size_t calls = 0;
  // What is lost again and again while no other call shares its process is given up, and rightly: towards the end of a
  // sweep calls are alone.
  const auto is_busy = [&] {
    return std::stoi(sweep.daemon->query("select count(*) from godwit.steps where run = " + std::to_string(run))[0]) <
           kSearches - 200;
  };
  while (kills < 50 && is_busy()) {
    // Where no process lives to serve a call, as with sanitizers, the kills would prove nothing but the pauses between starts.
    if (in_vain == 3) in_vain = 0, reach_ms *= 2;
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % reach_ms));
    for (const pid_t host : sweep.daemon->hosts("count")) {
      ::kill(host, SIGKILL);
      ++kills;
      const std::size_t before = std::exchange(calls, sweep.calls());
      in_vain = calls == before ? in_vain + 1 : 0;
    }
  }
  const auto result = sweep.daemon->wait_for_end(run, 180s);
  INFO(json::serialize(result).substr(0, 600));
  REQUIRE(result.at("state") == "succeeded");
  const auto quiet = sweep.daemon->wait_for_end(sweep.submit(30)).at("result");
  CHECK(result.at("result") == quiet);
  CHECK(kills > 0);
}

TEST_CASE("a long step goes on from its checkpoint after the daemon was killed") {
  Sweep sweep;
  const auto receipt = sweep.daemon->call(
      "run.submit", {{"file", "long.yaml"},
                     {"text", "job: long\nstages:\n  count: {uses: count_to, with: {to: 500, delay_ms: 10}}\n"}});
  const auto run = receipt.at("run").to_number<std::int64_t>();
  for (int kills = 0; kills < 3; ++kills) {
    // Killed once it has something to go on from, however slow the machine.
    while (sweep.daemon->query("select 1 from godwit.checkpoint where run = " + std::to_string(run)).empty())
      std::this_thread::sleep_for(5ms);
    std::this_thread::sleep_for(100ms);
    sweep.daemon->kill();
    sweep.daemon->start();
  }
  const auto result = sweep.daemon->wait_for_end(run).at("result");
  CHECK(result.at("sum") == 124750);
  CHECK(result.at("started_at").to_number<int>() > 0);
}
