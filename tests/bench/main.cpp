// Measures godwit beside what PostgreSQL itself can do with the same rows, in one run on one machine: only the ratios
// mean anything elsewhere. fsync and synchronous_commit are on. Peers' figures were measured apart, on a machine of the
// same kind, and are printed as such.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <thread>

#include "bench/floor.hpp"
#include "bench/loopback_provider.hpp"
#include "bench/processes.hpp"
#include "bench/report.hpp"
#include "bench/rpc_connection.hpp"
#include "support/daemon_process.hpp"
#include "support/postgres.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using bench::figure;
using bench::Report;
using bench::RpcConnection;
namespace json = base::json;

namespace {

// Medians of the peers on a machine of this kind, each at its best setting.
constexpr int kWarmUpRuns = 300;
constexpr double kPeerStepsPerSecond = 1272;  // Restate, 100 workflows at once
constexpr double kPeerStepsOneRun = 245;      // DBOS
constexpr double kPeerJobsPerSecond = 8744;   // graphile-worker, batched
constexpr double kPeerRecoverySeconds = 1.6;  // Restate, 1,000 workflows
constexpr double kPeerIdleMegabytes = 72;     // graphile-worker

const std::string kPayload = "{\"text\":\"" + std::string(204 - 11, 'x') + "\"}";

double seconds_since(base::Tick start) {
  return std::chrono::duration<double>(base::tick() - start).count();
}

// `limits` is what each step takes, as in a job file.
std::string chain_job(const std::string& name, int steps, const std::string& limits = "{}") {
  std::string yaml = "job: " + name + "\nlimits: {wide: 1000000, broad: 1000000, fast: 1000000/s}\nstages:\n";
  for (int i = 0; i < steps; ++i) {
    yaml += "  step_" + std::to_string(i) + ": {uses: noop, with: " + kPayload + ", limits: " + limits;
    if (i > 0) yaml += ", needs: [step_" + std::to_string(i - 1) + "]";
    yaml += "}\n";
  }
  return yaml + "result: done\n";
}

class Bench {
 public:
  Bench() {
    std::filesystem::create_directory(jobs_ / "jobs");
    write("noop", "job: noop\nstages:\n  only: {uses: noop, with: {v: 1}}\n");
    write("ten", chain_job("ten", 10));
    write("limited", chain_job("limited", 10, "{wide: 1, broad: 2, fast: 1}"));
    write("thousand", chain_job("thousand", 1000));
    write("stamp", "job: stamp\nstages:\n  only: {uses: stamp}\n");
    write("held", "job: held\nstages:\n  a: {uses: noop, with: {v: 1}}\n  b: {needs: [a], uses: hold, with: {file: '" +
                      (jobs_ / "go").string() + "'}}\n");
    write("parked",
          "job: parked\nstages:\n  only: {uses: hold, with: {file: '" + (jobs_ / "parked").string() + "'}}\n");
    write("listening", "job: listening\nstages:\n  wait: {wait_signal: wake}\n");
    write("napping", "job: napping\nparams: {due: string}\nstages:\n  nap: {sleep: '${ params.due }'}\n");
    std::ofstream(jobs_ / "jobs" / "listening_script.lua")
        << "local gw = require 'godwit'\nreturn gw.job { name = 'listening_script', run = function()\n"
           "  return gw.wait('wake')\nend }\n";
    write("fan",
          "job: fan\nparams: {port: integer}\nstages:\n  call: {foreach: '${ range(1, 1000) }', parallel: 50, uses: "
          "http.request, retry_safe: true,\n"
          "    with: {url: 'http://127.0.0.1:${ params.port }/item/${ item }'}}\nresult: '${ stages.call.count }'\n");
    write("learning",
          "job: learning\nparams: {port: integer}\nlimits: {provider: 2000/s}\nstages:\n  call: {foreach: '${ range(1, "
          "1000000) }', parallel: 100, uses: http.request, retry_safe: true,\n    limits: {provider: 1}, retry: "
          "{attempts: 100, backoff: 1s}, on_item_error: record, output: 1,\n"
          "    with: {url: 'http://127.0.0.1:${ params.port }/item/${ item }'}}\n");
    // A backlog that is at work for hours, a thousand at a time.
    write("napping_for", "job: napping_for\nlimits: {slot: 4}\nstages:\n  only: {uses: shell.run, retry_safe: true, limits: "
                         "{slot: 1}, with: {argv: [sleep, '0.1']}}\n");
    write("urgent", "job: urgent\npriority: 50\nstages:\n  only: {uses: shell.run, retry_safe: true, limits: {slot: 1}, with: "
                    "{argv: ['true']}}\nlimits: {slot: 4}\n");
    std::ofstream(jobs_ / "jobs" / "million.lua")
        << "local gw = require 'godwit'\nreturn gw.job { name = 'million', params = { n = 'integer' }, run = "
           "function(p)\n"
           "  return gw.each('n', range(1, p.n), { parallel = 100, fold = { 0, function(sum, one) return sum + one end "
           "} },\n"
           "                 function(n) gw.call('noop', { v = n }) return 1 end)\nend }\n";
    daemon_.emplace(support::DaemonOptions{.job_dirs = {(jobs_ / "jobs").string()}});
    daemon_->start();
  }

  void steps_many_runs(Report& report) {
    auto floor = this->floor();
    const double per_batch = floor.steps(1000, 10, 4);
    const int runs = 30000, steps = runs * 10;
    warm_up();
    const double daemon_before = bench::cpu_seconds_of_tree(daemon_->pid()) - postgres_cpu(),
                 postgres_before = postgres_cpu();
    const auto start = base::tick();
    submit_many("ten", runs);
    settle();
    const double elapsed = seconds_since(start), rate = steps / elapsed;
    expect_ended("ten", runs + kWarmUpRuns);
    const double daemon_cpu = bench::cpu_seconds_of_tree(daemon_->pid()) - postgres_cpu() - daemon_before,
                 postgres = postgres_cpu() - postgres_before;
    report.add({"durable steps/s, many runs at once", figure(rate, "/s"), "floor " + figure(per_batch, "/s"),
                rate / per_batch, 0.35});
    report.add({"  the same beside the best peer", figure(rate, "/s"), "Restate " + figure(kPeerStepsPerSecond, "/s"),
                rate / kPeerStepsPerSecond, 20});
    report.add({"CPU s per 1,000 steps: daemon and host", figure(daemon_cpu / steps * 1000, "s"), "0.02 s",
                daemon_cpu / steps * 1000 / 0.02, 1, true});
    report.add({"CPU s per 1,000 steps: PostgreSQL", figure(postgres / steps * 1000, "s"), "0.03 s",
                postgres / steps * 1000 / 0.03, 1, true});
  }

  // Alternately and often, so that a slow moment of the machine meets both.
  void cost_of_limits(Report& report) {
    constexpr int kRounds = 10, kRuns = 2000;
    warm_up();
    double without = 0, with = 0;
    for (int round = 0; round < kRounds; ++round) {
      for (auto& [job, seconds] : {std::pair<const char*, double&>{"ten", without}, {"limited", with}}) {
        const auto start = base::tick();
        submit_many(job, kRuns);
        settle();
        seconds += seconds_since(start);
      }
    }
    expect_ended("limited", kRounds * kRuns);
    const double steps = kRounds * kRuns * 10;
    report.add({"durable steps/s, each with three limits", figure(steps / with, "/s"),
                "none " + figure(steps / without, "/s"), without / with, 0.9});
  }

  void steps_one_run(Report& report) {
    auto floor = this->floor();
    const double first = floor.steps(1, 1000, 2);
    // As long as the floor is measured, which leaves the first moments of a new daemon and its sessions out of sight.
    const int runs = 6;
    const auto start = base::tick();
    for (int i = 0; i < runs; ++i) submit_and_wait("thousand");
    const double rate = runs * 1000 / seconds_since(start);
    const double commits = (first + floor.steps(1, 1000, 2)) / 2;
    report.add({"durable steps/s of one run", figure(rate, "/s"), "floor " + figure(commits, "commits/s"),
                rate / commits, 0.6});
    report.add({"  the same beside the best peer", figure(rate, "/s"), "DBOS " + figure(kPeerStepsOneRun, "/s"),
                rate / kPeerStepsOneRun, 1});
  }

  void jobs(Report& report) {
    const int count = 60'000;
    const auto start = base::tick();
    submit_many("noop", count);
    settle();
    const double rate = count / seconds_since(start);
    expect_ended("noop", count);
    report.add({"no-op jobs/s, submit to result", figure(rate, "/s"),
                "graphile-worker " + figure(kPeerJobsPerSecond, "/s"), rate / kPeerJobsPerSecond, 2});
  }

  void submits(Report& report) {
    std::atomic<int> done{0};
    std::vector<std::thread> clients;
    const auto start = base::tick();
    for (int i = 0; i < 16; ++i)
      clients.emplace_back([&] {
        RpcConnection connection(daemon_->socket());
        while (seconds_since(start) < 4) {
          connection.call("run.submit", {{"job", "noop"}});
          ++done;
        }
      });
    for (auto& client : clients) client.join();
    const double rate = done / seconds_since(start);
    report.add({"single submits/s, 16 clients", figure(rate, "/s"), "8,000 /s", rate / 8000, 1});
    settle();
  }

  void bulk_submits(Report& report) {
    auto floor = this->floor();
    const double bound = floor.submits(1000, 3);
    const int count = 100'000;
    // Of a job that waits, as the floor's rows do: what is measured is the submit and not the runs.
    const auto start = base::tick();
    submit_many("parked", count);
    const double rate = count / seconds_since(start);
    report.add({"bulk submits/s", figure(rate, "/s"), "floor " + figure(bound, "/s"), rate / bound, 0.6});
    std::ofstream(jobs_ / "parked") << "1";
    settle();
  }

  void start_latency(Report& report) {
    RpcConnection connection(daemon_->socket());
    std::vector<double> milliseconds;
    for (int i = 0; i < 600; ++i) {
      timespec now{};
      ::clock_gettime(CLOCK_MONOTONIC, &now);
      const auto run = connection.call("run.submit", {{"job", "stamp"}}).at("run");
      json::value result;
      do result = connection.call("run.result", {{"run", run}});
      while (result.at("state") != "succeeded");
      const double began = result.at("result").at("monotonic_ns").to_number<double>();
      milliseconds.push_back((began - (static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec))) /
                             1e6);
      std::this_thread::sleep_for(15ms);
    }
    std::sort(milliseconds.begin(), milliseconds.end());
    const double p50 = milliseconds[300], p99 = milliseconds[594];
    report.add({"submit to first line of the stage, p50", figure(p50, "ms"), "1.5 ms", p50 / 1.5, 1, true});
    report.add({"submit to first line of the stage, p99", figure(p99, "ms"), "6 ms", p99 / 6, 1, true});
  }

  void fan_out(Report& report) {
    bench::LoopbackProvider provider(20ms);
    std::vector<double> walls;
    for (int i = 0; i < 4; ++i) {
      const auto start = base::tick();
      submit_and_wait("fan", {{"port", provider.port()}});
      walls.push_back(seconds_since(start));
    }
    std::sort(walls.begin(), walls.end());
    report.add({"fan-out, 1,000 calls of 20 ms, 50 at a time",
                figure(walls[1], "s") + " (max " + std::to_string(provider.in_flight_max()) + ")", "ideal 0.400 s",
                walls[1] / 0.4, 1.15, true});
  }

  // A provider with a limit that nobody has told to godwit, and that changes; each call takes 300 ms.
  void learning(Report& report) {
    bench::LoopbackProvider provider(300ms);
    RpcConnection connection(daemon_->socket());
    bool running = false;
    for (const double allowed : {100.0, 60.0, 150.0}) {
      provider.allow(allowed);
      if (!std::exchange(running, true))
        connection.call("run.submit", {{"job", "learning"}, {"params", {{"port", provider.port()}}}});
      std::this_thread::sleep_for(30s);
      const int served = provider.served(), refused = provider.refused();
      const auto start = base::tick();
      std::this_thread::sleep_for(30s);
      const double good = provider.served() - served, bad = provider.refused() - refused;
      const std::string name = "a hidden limit of " + figure(allowed, "/s") + ", 30 s later";
      report.add({name + ": used", figure(good / seconds_since(start), "/s"), figure(allowed, "/s"),
                  good / seconds_since(start) / allowed, 0.95});
      report.add({name + ": answered 429", figure(100 * bad / (good + bad), "%"), "0.5 %", bad / (good + bad) / 0.005, 1, true});
    }
  }

  // Whoever is urgent does not wait for the backlog.
  void overtaking(Report& report) {
    constexpr int kBacklog = 1'000'000;
    submit_many("napping_for", kBacklog);
    std::vector<double> seconds;
    RpcConnection connection(daemon_->socket());
    for (int i = 0; i < 20; ++i) {
      const auto start = base::tick();
      const auto run = connection.call("run.submit", {{"job", "urgent"}, {"params", json::object()}}).at("run");
      const std::string sql = "select count(*) from godwit.run_done where run = " + json::serialize(run);
      while (daemon_->query(sql).at(0) != "1") std::this_thread::sleep_for(2ms);
      seconds.push_back(seconds_since(start));
    }
    std::sort(seconds.begin(), seconds.end());
    report.add({"an urgent run beside a backlog of a million, median", figure(seconds[10], "s"), "1 s", seconds[10], 1, true});
    report.add({"  the daemon's memory", figure(bench::resident_bytes(daemon_->pid()) / 1e6, "MB"), "100 MB",
                bench::resident_bytes(daemon_->pid()) / 100e6, 1, true});
  }

  // Two nodes on a PostgreSQL of their own, of which one is killed in mid-work.
  void takeover(Report& report) {
    constexpr int kRuns = 10'000;
    constexpr double kLease = 3;
    support::Postgres postgres(true);
    const auto url = postgres.make_database();
    std::vector<std::unique_ptr<support::DaemonProcess>> nodes;
    for (const char* name : {"one", "two"})
      nodes.push_back(std::make_unique<support::DaemonProcess>(
          support::DaemonOptions{.settings = "node: {name: " + std::string(name) + ", lease: 3s}\nengine: {active_runs_max: 12000, steps_in_flight_max: 12000}\n",
                                 .job_dirs = {(jobs_ / "jobs").string()},
                                 .database_url = url}));
    for (const auto& node : nodes) node->start();
    const auto at_work = [](support::DaemonProcess& node) {
      return node.call("daemon.status").at("engine").at("runs_in_memory").to_number<int>();
    };
    submit_many("parked", kRuns, nodes[0]->socket());
    while (at_work(*nodes[0]) != kRuns) std::this_thread::sleep_for(20ms);
    nodes[0]->kill();
    const auto start = base::tick();
    while (at_work(*nodes[1]) != kRuns) std::this_thread::sleep_for(20ms);
    const double took = seconds_since(start);
    report.add({"10,000 runs of a dead node at work at another", figure(took, "s"),
                "its lease of " + figure(kLease, "s") + " + 2 s", took / (kLease + 2), 1, true});
  }

  void recovery(Report& report) {
    const int count = 1000;
    submit_many("held", count);
    while (daemon_
               ->query("select count(*) from godwit.steps where path = 'a' and run in (select run from godwit.runs "
                       "where job = 'held')")
               .at(0) != std::to_string(count))
      std::this_thread::sleep_for(20ms);
    daemon_->kill();
    std::this_thread::sleep_for(300ms);
    const auto start = base::tick();
    daemon_->launch();
    daemon_->wait_ready();
    double ready = seconds_since(start);
    RpcConnection connection(daemon_->socket());
    const auto status = json::serialize(connection.call("daemon.status"));
    if (status.find("\"runs_in_memory\":1000") == std::string::npos) std::printf("  note: %s\n", status.c_str());
    report.add({"1,000 killed runs at work again", figure(ready, "s"), "Restate " + figure(kPeerRecoverySeconds, "s"),
                ready / 0.5, 1, true});
    std::ofstream(jobs_ / "go") << "1";
    settle();
  }

  // 100,000 runs that wait are rows and a few bytes each, a fifth of them runs of a script; a thousand of each kind come
  // back within a second, by a signal or because their time has come.
  void asleep(Report& report) {
    const int count = 100'000, scripts = count / 5, woken = 1000;
    submit_many("noop", 2000);
    submit_and_wait("million", {{"n", 100}});
    settle();
    const Resident before = steady_resident();
    submit_many("listening", count - scripts);
    submit_many("listening_script", scripts);
    wait_for_resting(count);
    const Resident after = steady_resident();
    const double grown = after.sum() - before.sum();
    report.add({"100,000 runs asleep: daemon and hosts grow by",
                figure(grown / 1e6, "MB") + " (daemon " + figure((after.daemon - before.daemon) / 1e6, "MB") + ")",
                "100 MB", grown / 100e6, 1, true});

    RpcConnection connection(daemon_->socket());
    for (const std::string job : {"listening", "listening_script"}) {
      const auto runs = daemon_->query("select run from godwit.runs where job = '" + job + "' order by run limit 1000");
      const auto start = base::tick();
      for (const auto& run : runs) connection.send("run.signal", {{"run", std::stoll(run)}, {"name", "wake"}});
      for (int i = 0; i < woken; ++i) connection.receive_text();
      wait_for_ended(job, woken);
      const double by_signal = seconds_since(start);
      report.add({"1,000 of " + job + " woken by signals and ended", figure(by_signal, "s"), "1 s", by_signal, 1, true});
    }

    const auto due = base::now() + 15s;
    json::array params(static_cast<std::size_t>(woken), json::object{{"due", base::format_instant(due)}});
    connection.call("run.submit_many", {{"job", "napping"}, {"params", std::move(params)}});
    wait_for_resting(count - woken);
    wait_for_ended("napping", woken);
    const double late = std::chrono::duration<double>(base::now() - due).count();
    report.add({"1,000 of them woken by the clock and ended", figure(late, "s"), "1 s", late, 1, true});
  }

  void idle_memory(Report& report) {
    support::DaemonProcess fresh({.job_dirs = {(jobs_ / "jobs").string()}});
    fresh.start();
    const auto run = fresh.call("run.submit", {{"job", "noop"}}).at("run").to_number<std::int64_t>();
    fresh.wait_for_end(run);
    double bytes = bench::resident_bytes(fresh.pid());
    const double daemon_only = bytes;
    for (const pid_t host : fresh.hosts()) bytes += bench::resident_bytes(host);
    report.add({"memory idle: daemon and one host",
                figure(bytes / 1e6, "MB") + " (daemon " + figure(daemon_only / 1e6, "MB") + ")",
                "graphile-worker " + figure(kPeerIdleMegabytes, "MB"), bytes / 30e6, 1, true});
  }

  // A loop of a script over a million items: accepted, held, and taken up again in the middle.
  void million(Report& report) {
    submit_and_wait("million", {{"n", 100}});
    const double before = bench::resident_bytes(daemon_->pid());
    const auto start = base::tick();
    const auto run =
        daemon_->call("run.submit", {{"job", "million"}, {"params", json::object{{"n", 1'000'000}}}}).at("run");
    wait_for_items(run, 1);
    const double accepted = seconds_since(start);
    wait_for_items(run, 30'000);
    const double grown = bench::resident_bytes(daemon_->pid()) - before;
    daemon_->kill();
    const auto restart = base::tick();
    daemon_->start();
    const double served = seconds_since(restart);
    wait_for_items(run, 31'000);
    const double at_work = seconds_since(restart);
    daemon_->call("run.cancel", {{"run", run}});
    settle();
    report.add(
        {"gw.each over 1,000,000 items: submit to first step", figure(accepted, "s"), "2 s", accepted / 2, 1, true});
    report.add({"  the daemon grows by", figure(grown / 1e6, "MB"), "50 MB", grown / 50e6, 1, true});
    report.add({"  killed in the middle, 1,000 items further after",
                figure(at_work, "s") + " (serving after " + figure(served, "s") + ")", "3 s", at_work / 3, 1, true});
  }

 private:
  void wait_for_items(const json::value& run, std::int64_t count) {
    RpcConnection connection(daemon_->socket());
    for (;;) {
      const json::object shown = connection.call("run.show", {{"run", run}}).as_object();
      const auto* progress = shown.if_contains("progress");
      const auto* done = progress && progress->is_object() ? progress->as_object().if_contains("done") : nullptr;
      if (done && done->is_number() && done->to_number<std::int64_t>() >= count) return;
      std::this_thread::sleep_for(5ms);
    }
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(jobs_ / "jobs" / (name + ".yaml")) << text;
  }

  bench::Floor floor() {
    std::ifstream in(daemon_->dir() / "state" / "postgres" / "data" / "postmaster.pid");
    std::string line, directory;
    for (int number = 1; std::getline(in, line); ++number)
      if (number == 5) directory = line;
    return bench::Floor("host=" + directory + " dbname=godwit user=godwit");
  }
  double postgres_cpu() { return bench::cpu_seconds_of_tree(daemon_->postmaster()); }

  struct Resident {
    double daemon = 0, hosts = 0;
    double sum() const { return daemon + hosts; }
    bool operator==(const Resident&) const = default;
  };
  Resident resident() {
    Resident bytes{bench::resident_bytes(daemon_->pid())};
    for (const pid_t host : daemon_->hosts()) bytes.hosts += bench::resident_bytes(host);
    return bytes;
  }
  // Once the hosts have put away what the daemon has told them to.
  Resident steady_resident() {
    for (Resident last = resident();;) {
      std::this_thread::sleep_for(300ms);
      if (const Resident now = resident(); now == std::exchange(last, now)) return now;
    }
  }

  void submit_many(const std::string& job, int count) { submit_many(job, count, daemon_->socket()); }
  void submit_many(const std::string& job, int count, const std::string& socket) {
    RpcConnection connection(socket);
    constexpr int kPage = 2000, kAhead = 4;
    int sent = 0, answered = 0;
    while (answered < count) {
      while (sent < count && sent - answered < kAhead * kPage) {
        const int page = std::min(kPage, count - sent);
        json::array params(static_cast<std::size_t>(page), json::object());
        connection.send("run.submit_many", {{"job", job}, {"params", std::move(params)}});
        sent += page;
      }
      const auto reply = connection.receive();
      if (reply.contains("error")) throw std::runtime_error(json::serialize(reply));
      answered += static_cast<int>(reply.at("result").at("runs").as_array().size());
    }
  }
  void settle() {
    RpcConnection connection(daemon_->socket());
    for (;;) {
      const std::string status = json::serialize(connection.call("daemon.status"));
      if (status.find("\"runs_in_memory\":0") != std::string::npos &&
          status.find("\"more_in_store\":false") != std::string::npos)
        return;
      // Each answer costs the daemon a look at all runs in memory: asked a hundred times a second, a tenth of its time.
      std::this_thread::sleep_for(25ms);
    }
  }
  void wait_for_resting(int count) {
    RpcConnection connection(daemon_->socket());
    while (connection.call("daemon.status").at("engine").at("runs_resting").to_number<int>() < count)
      std::this_thread::sleep_for(20ms);
  }
  void wait_for_ended(const std::string& job, int count) {
    const std::string sql =
        "select count(*) from godwit.run_done d join godwit.run r on r.id = d.run where job = '" + job + "'";
    while (daemon_->query(sql).at(0) != std::to_string(count)) std::this_thread::sleep_for(10ms);
  }
  // Asked in the database, apart from the measurement: what was counted has really ended.
  void expect_ended(const std::string& job, int count) {
    const auto ended =
        daemon_->query("select count(*) from godwit.results where state = 'succeeded' and job = '" + job + "'").at(0);
    if (ended != std::to_string(count))
      throw std::runtime_error(ended + " of " + std::to_string(count) + " runs of " + job + " have ended");
  }
  void warm_up() {
    submit_many("ten", kWarmUpRuns);
    settle();
  }
  void submit_and_wait(const std::string& job, json::object params = {}) {
    RpcConnection connection(daemon_->socket());
    const auto run = connection.call("run.submit", {{"job", job}, {"params", std::move(params)}}).at("run");
    connection.send("run.follow", {{"run", run}, {"states", true}});
    for (;;) {
      const auto message = connection.receive();
      const auto* event = message.if_contains("params");
      if (!event || event->as_object().at("event") != "state") continue;
      const auto& state = event->at("state");
      if (state == "failed") throw std::runtime_error(json::serialize(message));
      if (state == "succeeded") return;
    }
  }

  support::TempDir jobs_;
  std::optional<support::DaemonProcess> daemon_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::pair<const char*, void (Bench::*)(Report&)>> parts{
      {"steps", &Bench::steps_many_runs}, {"sequence", &Bench::steps_one_run}, {"jobs", &Bench::jobs},
      {"submits", &Bench::submits},       {"bulk", &Bench::bulk_submits},      {"latency", &Bench::start_latency},
      {"fan", &Bench::fan_out},           {"recovery", &Bench::recovery},      {"memory", &Bench::idle_memory},
      {"asleep", &Bench::asleep},         {"million", &Bench::million},       {"limits", &Bench::cost_of_limits},
      {"learning", &Bench::learning},  {"overtaking", &Bench::overtaking}, {"takeover", &Bench::takeover}};
  try {
    Report report;
    Bench bench;
    for (const auto& [name, measure] : parts)
      if (argc < 2 ||
          std::any_of(argv + 1, argv + argc, [&](const char* wanted) { return std::strcmp(wanted, name) == 0; }))
        (bench.*measure)(report);
    return report.print() ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "godwit_bench: %s\n", error.what());
    return 2;
  }
}
