// Goal: three nodes on one PostgreSQL, killed, stopped and cut off at random under load: no run is lost, no finished
// step is done again, the provider never sees more calls at once than the limit allows, permits of the dead are back
// within two leases, and each fire time of a schedule leads to one run. Method: real daemons, each behind a wire of its
// own, a proxy or a veth pair between network namespaces; a provider that writes down each call, and takes a place that
// the kernel gives back when its process ends. The seed is printed; the moments depend on the machine's speed all the
// same. GODWIT_NODES_SECONDS says how long (20).
#include <signal.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <functional>
#include <thread>

#include "support/daemon_process.hpp"
#include "support/network.hpp"
#include "support/postgres.hpp"
#include "support/seed.hpp"
#include "support/wire_proxy.hpp"

using namespace godwit;
using namespace std::chrono_literals;
using support::DaemonProcess;
namespace json = base::json;

namespace {

constexpr int kPermits = 4;
constexpr auto kLease = 3s;
constexpr auto kShortLease = "3s";
// Where no node is to lose its own: on a busy machine one may hear nothing of the database for seconds.
constexpr auto kLongLease = "12s";
constexpr auto kJobs = R"(
job: legs
params: {n: integer, delay_ms: integer}
stages:
  search:
    foreach: "${ range(1, 6) }"
    parallel: 3
    uses: count-search/1.search
    with: {n: "${ params.n }", leg: "${ item }", delay_ms: "${ params.delay_ms }"}
    limits: {few: 1}
    retry: {attempts: 20, backoff: 50ms}
    output: {price: "${ output.price }"}
result: "${ stages.search.items }"
)";
constexpr auto kTick = R"(
job: tick
schedule: {every: 1s, missed: all, overlap: allow}
stages:
  one: {uses: count-search/1.search, with: {n: 0, delay_ms: 1}, limits: {few: 1}, retry: {attempts: 20, backoff: 50ms}}
)";

// The way from a node to the database.
class Wire {
 public:
  virtual ~Wire() = default;
  virtual std::string address() const = 0;  // for libpq
  virtual void cut(std::mt19937_64& random) = 0;
  virtual void mend() = 0;
  virtual void launch(DaemonProcess& daemon) { daemon.launch(); }
};

class ProxyWire : public Wire {
 public:
  std::string address() const override { return "host=127.0.0.1 port=" + std::to_string(proxy_.port()); }
  void cut(std::mt19937_64&) override { proxy_.cut(); }
  void mend() override { proxy_.mend(); }

 private:
  support::WireProxy proxy_{support::Postgres::shared().socket_path()};
};

// The node lives in a network namespace.
class NetworkWire : public Wire {
 public:
  NetworkWire(const support::Network& network, int place) : network_(network), place_(place) {}
  std::string address() const override { return "host=" + network_.hub_address(place_); }
  void cut(std::mt19937_64& random) override {
    network_.cut(place_, random() % 2 ? support::Network::Cut::both_ways : support::Network::Cut::answers);
  }
  void mend() override { network_.mend(place_); }
  void launch(DaemonProcess& daemon) override {
    const support::NetworkSpace::Visit visit(network_.place(place_));
    daemon.launch();
  }

 private:
  const support::Network& network_;
  int place_;
};

using WireMaker = std::function<std::unique_ptr<Wire>(int number)>;
std::unique_ptr<Wire> make_proxy_wire(int) {
  return std::make_unique<ProxyWire>();
}

// One node: its daemon and its wire.
struct Node {
  Node(const std::string& name, std::unique_ptr<Wire> its_wire, const std::string& database, const std::string& folder,
       const std::string& lease, const std::string& more)
      : wire(std::move(its_wire)),
        daemon(
            {.settings = "node: {name: " + name + ", lease: " + lease + "}\nlimits: {few: " + std::to_string(kPermits) +
                         "}\nengine: {active_runs_max: 12000}\nplugins: {test.count: {units: {count: {log: " + folder +
                         "/calls.log, places: " + folder + "/places, count: " + std::to_string(kPermits) +
                         "}}, files: {write: [" + folder + "]}}}\n" + more,
             .job_dirs = {folder + "/jobs"},
             .database_url = wire->address() + " dbname=" + database + " user=godwit connect_timeout=2"}) {}

  void launch() { wire->launch(daemon); }

  std::unique_ptr<Wire> wire;
  DaemonProcess daemon;
  base::Tick mend_at{}, go_on_at{}, start_at{};
  bool cut = false, stopped = false;
};

struct CallLine {
  std::string key;
  base::Instant began;
  bool had_place = true;
};

class World {
 public:
  explicit World(int count, const std::string& lease = kShortLease, const std::string& more = {},
                 support::Postgres& postgres = support::Postgres::shared(), const WireMaker& wire = make_proxy_wire) {
    std::filesystem::create_directory(folder_ / "jobs");
    add_job("legs", kJobs);
    database_ = postgres.make_database();
    // The first word of "host=... dbname=testN ..." that names it.
    const auto at = database_.find("dbname=");
    name_ = database_.substr(at + 7, database_.find(' ', at) - at - 7);
    for (int i = 1; i <= count; ++i)
      nodes.push_back(
          std::make_unique<Node>("n" + std::to_string(i), wire(i - 1), name_, folder_.path().string(), lease, more));
  }
  void add_job(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / "jobs" / (name + ".yaml")) << text;
  }
  void add_schedule() { add_job("tick", kTick); }
  void start() {
    for (auto& node : nodes) node->launch();
    for (auto& node : nodes) node->daemon.wait_ready();
  }

  std::int64_t submit(Node& node, int n, int delay_ms) {
    return node.daemon.call("run.submit", {{"job", "legs"}, {"params", {{"n", n}, {"delay_ms", delay_ms}}}})
        .at("run")
        .to_number<std::int64_t>();
  }
  // As the database says, not by way of a node.
  std::vector<std::string> query(const std::string& sql) {
    support::DaemonOptions direct;
    direct.database_url = database_;
    if (!asker_) asker_.emplace(direct);
    // Sessions that were cut off live on in the server for a while, beside the new ones, and may take all its places.
    for (int attempt = 0; attempt < 100; ++attempt) {
      try {
        return asker_->query(sql);
      } catch (const std::runtime_error&) {
        std::this_thread::sleep_for(100ms);
      }
    }
    return asker_->query(sql);
  }
  std::vector<CallLine> calls() const {
    std::vector<CallLine> lines;
    std::ifstream in(folder_ / "calls.log");
    for (std::string line; std::getline(in, line);) {
      const auto first = line.find('\t'), second = line.find('\t', first + 1), third = line.find('\t', second + 1);
      if (second == std::string::npos) continue;
      lines.push_back({line.substr(line.find(':') + 1, first - line.find(':') - 1),
                       base::from_microseconds(std::stoll(line.substr(second + 1))), third == std::string::npos});
    }
    return lines;
  }

  std::vector<std::unique_ptr<Node>> nodes;

 private:
  support::TempDir folder_;
  std::string database_, name_;
  std::optional<DaemonProcess> asker_;
};

base::Duration random_time(std::mt19937_64& random, int most_ms) {
  return std::chrono::milliseconds(random() % static_cast<std::uint64_t>(most_ms));
}

// What was done to a node ends when its time has come.
void mend(Node& node, base::Tick now) {
  if (node.cut && now >= node.mend_at) {
    node.wire->mend();
    node.cut = false;
  }
  if (node.stopped && now >= node.go_on_at) {
    node.stopped = false;
    if (node.daemon.running()) node.daemon.signal(SIGCONT);
  }
  if (!node.daemon.running() && now >= node.start_at) node.launch();
}

void blow(Node& node, std::mt19937_64& random) {
  const auto now = base::tick();
  if (node.cut || node.stopped || !node.daemon.running()) return;
  switch (random() % 3) {
    case 0:
      node.daemon.kill();
      node.start_at = now + random_time(random, 6000);
      break;
    case 1:
      node.daemon.signal(SIGSTOP);
      node.stopped = true;
      node.go_on_at = now + random_time(random, 6000);
      // The kernel ends it when its lease is over; a supervisor starts it again.
      node.start_at = node.go_on_at;
      break;
    default:
      node.wire->cut(random);
      node.cut = true;
      node.mend_at = now + random_time(random, 8000);
  }
}

void check_calls(World& world) {
  std::map<std::string, base::Instant> finished;
  for (const auto& row :
       world.query("select run || ':' || path || '=' || (extract(epoch from finished_at) * 1000000)::bigint "
                   "from godwit.steps where path like 'search[_%]'")) {
    const auto at = row.rfind('=');
    finished[row.substr(0, at)] = base::from_microseconds(std::stoll(row.substr(at + 1)));
  }
  std::size_t without_place = 0, repeated = 0;
  const auto calls = world.calls();
  for (const auto& call : calls) {
    without_place += call.had_place ? 0 : 1;
    const auto done = finished.find(call.key);
    if (done != finished.end() && call.began > done->second) ++repeated;
  }
  WARN(calls.size() << " calls, " << finished.size() << " steps");
  CHECK(finished.size() > 0);
  CHECK(without_place == 0);
  CHECK(repeated == 0);
}

template <typename Done>
bool wait_until(base::Duration patience, Done done) {
  const auto end = base::tick() + patience;
  while (base::tick() < end) {
    if (done()) return true;
    std::this_thread::sleep_for(20ms);
  }
  return done();
}

}  // namespace

void batter(World& world) {
  const auto seed = support::seed();
  INFO("GODWIT_SEED=" << seed);
  std::mt19937_64 random(seed);
  const char* given = std::getenv("GODWIT_NODES_SECONDS");
  const auto length = std::chrono::seconds(given ? std::atoi(given) : 20);
  world.add_schedule();
  world.start();
  std::vector<std::int64_t> runs;
  int blows = 0;
  auto next_blow = base::tick() + 1s;
  const auto end = base::tick() + length;
  for (int n = 1; base::tick() < end; ++n) {
    for (auto& node : world.nodes) mend(*node, base::tick());
    if (base::tick() >= next_blow) {
      blow(*world.nodes[random() % 3], random);
      ++blows;
      next_blow = base::tick() + 500ms + random_time(random, 3000);
    }
    auto& node = *world.nodes[random() % 3];
    std::this_thread::sleep_for(60ms);
    if (node.cut || node.stopped || !node.daemon.running()) continue;
    try {
      runs.push_back(world.submit(node, n, 5 + static_cast<int>(random() % 60)));
    } catch (const std::exception&) {
      // It was not acknowledged.
    }
  }
  for (auto& node : world.nodes) {
    mend(*node, base::Tick::max());
    if (!node->daemon.running()) node->launch();
  }
  const auto open = [&] {
    return world.query("select count(*) from godwit.runs where finished_at is null and job = 'legs'")[0];
  };
  // A node whose lease ends once more on a busy machine is started again, as by a supervisor.
  const bool all = wait_until(180s, [&] {
    for (auto& node : world.nodes) mend(*node, base::tick());
    return open() == "0";
  });
  for (auto& node : world.nodes) INFO(node->daemon.log());
  CHECK(open() == "0");
  REQUIRE(all);
  std::string wanted;
  for (const auto run : runs) wanted += (wanted.empty() ? "" : ",") + std::to_string(run);
  CHECK(world.query("select count(*) from godwit.results where state = 'succeeded' and run in (" + wanted + ")")[0] ==
        std::to_string(runs.size()));
  check_calls(world);
  // Each second has one fire, or says why it has none; none has two.
  CHECK(world.query("select count(*) - count(distinct instant) from godwit.fires")[0] == "0");
  CHECK(world.query(
            "select extract(epoch from max(instant) - min(instant))::bigint + 1 - count(*) from godwit.fires")[0] ==
        "0");
  CHECK(std::stoi(world.query("select count(*) from godwit.fires where run is not null")[0]) > 5);
  WARN(blows << " blows, " << runs.size() << " runs");
}

TEST_CASE("three nodes are killed, stopped and cut off under load") {
  World world(3);
  batter(world);
}

TEST_CASE("three nodes in network namespaces are killed, stopped and cut off under load") {
  if (const auto obstacle = support::Network::obstacle(); !obstacle.empty()) {
    WARN("skipped: " << obstacle);
    SUCCEED();
    return;
  }
  const support::Network network(3);
  // Before the database, which is made here, listens in the hub.
  const support::NetworkSpace::Visit visit(network.hub());
  support::Postgres postgres(false);
  postgres.listen(network.hub_addresses(), network.range());
  World world(3, kShortLease, {}, postgres, [&](int place) { return std::make_unique<NetworkWire>(network, place); });
  batter(world);
}

TEST_CASE("permits of a dead node are back within two leases") {
  World world(2);
  world.start();
  // The second one's process is there already when its turn comes.
  world.nodes[1]->daemon.wait_for_end(world.submit(*world.nodes[1], 0, 1));
  const auto before = world.calls().size();
  // All permits are with the first node, for long.
  const auto first = world.submit(*world.nodes[0], 1, 60'000);
  const auto second = world.submit(*world.nodes[0], 2, 60'000);
  REQUIRE(wait_until(60s, [&] { return world.calls().size() == before + kPermits; }));
  world.nodes[0]->daemon.signal(GENERATE(SIGKILL, SIGSTOP));
  const auto died = base::now();
  const auto third = world.submit(*world.nodes[1], 3, 1);
  world.nodes[1]->daemon.call("run.cancel", {{"run", third}});
  REQUIRE(wait_until(60s, [&] { return world.calls().size() > before + kPermits; }));
  const auto back = world.calls().back().began - died;
  WARN("a permit was taken again after " << base::format_duration(back));
  // Two leases, and what a busy machine takes for itself.
  CHECK(back < 2 * kLease + 4s);
  for (const auto& call : world.calls()) CHECK(call.had_place);
  for (const auto run : {first, second}) world.nodes[1]->daemon.call("run.cancel", {{"run", run}});
  world.nodes[1]->daemon.wait_for_end(first);
  world.nodes[1]->daemon.wait_for_end(second);
}

TEST_CASE("a queue's total holds over all nodes, and its pause reaches them") {
  // The provider's places are as many as the queue's, and nothing else bounds the calls.
  World world(2, kLongLease, "queues: {abreast: {concurrency_total: " + std::to_string(kPermits) + "}}\n");
  world.add_job("wide",
                "job: wide\nqueue: abreast\nstages:\n  one: {uses: count-search/1.search, with: {n: 1, delay_ms: 200}, retry: "
                "{attempts: 20, backoff: 50ms}}\n");
  world.start();
  const auto submit = [&](std::size_t node) {
    return world.nodes[node]->daemon.call("run.submit", {{"job", "wide"}}).at("run").to_number<std::int64_t>();
  };
  const auto abreast = [&](std::size_t node) {
    const auto queues = world.nodes[node]->daemon.call("queue.list");
    for (const auto& queue : queues.as_array())
      if (queue.at("queue") == "abreast") return queue.as_object();
    throw std::runtime_error("the queue is not listed");
  };
  std::vector<std::int64_t> runs;
  for (int i = 0; i < 40; ++i) runs.push_back(submit(i % 8 == 0 ? 0 : 1));
  for (const auto run : runs) CHECK(world.nodes[1]->daemon.wait_for_end(run).at("state") == "succeeded");
  REQUIRE(world.calls().size() == runs.size());
  for (const auto& call : world.calls()) CHECK(call.had_place);

  world.nodes[0]->daemon.call("queue.pause", {{"queue", "abreast"}});
  REQUIRE(wait_until(60s, [&] { return abreast(1).at("paused") == true; }));
  const auto held = submit(1);
  world.nodes[1]->daemon.kill();
  world.nodes[1]->daemon.start();
  CHECK(abreast(1).at("paused") == true);
  CHECK(world.query("select state from godwit.runs where run = " + std::to_string(held))[0] == "queued");
  world.nodes[1]->daemon.call("queue.resume", {{"queue", "abreast"}});
  CHECK(world.nodes[1]->daemon.wait_for_end(held).at("state") == "succeeded");
  CHECK(wait_until(60s, [&] { return abreast(0).at("paused") == false; }));
}

TEST_CASE("what is meant for a run reaches the node that has it") {
  World world(2, kLongLease);
  world.start();
  auto& one = world.nodes[0]->daemon;
  auto& two = world.nodes[1]->daemon;
  const auto submit = [&](DaemonProcess& daemon, const std::string& text) {
    return daemon.call("run.submit", {{"file", "x.yaml"}, {"text", text}}).at("run").to_number<std::int64_t>();
  };
  const auto waits = submit(one, "job: waits\nstages:\n  go: {wait_signal: {name: go}}\nresult: '${ stages.go }'\n");
  REQUIRE(wait_until(
      20s, [&] { return !world.query("select 1 from godwit.waits where run = " + std::to_string(waits)).empty(); }));
  CHECK(two.call("run.why", {{"run", waits}}).at("reasons").as_array().size() == 1);
  two.call("run.signal", {{"run", waits}, {"name", "go"}, {"payload", "7"}});
  CHECK(one.wait_for_end(waits).at("state") == "succeeded");
  const auto cancelled = submit(one, "job: waits\nstages:\n  go: {wait_signal: {name: go}}\n");
  two.call("run.cancel", {{"run", cancelled}});
  CHECK(one.wait_for_end(cancelled).at("state") == "cancelled");
  CHECK_THROWS_AS(two.call("run.cancel", {{"run", cancelled}}), base::Error);

  SECTION("a drained node gives its runs away at once") {
    const auto rests = submit(one, "job: rests\nstages:\n  go: {wait_signal: {name: go}}\n");
    // A node hears of it with its beat, a quarter of a lease: half of the calls are still to be made then.
    const auto works = world.submit(*world.nodes[0], 5, 6000);
    REQUIRE(wait_until(60s, [&] { return world.calls().size() > 0; }));
    two.call("node.drain", {{"node", "n1"}});
    const auto owner = [&](std::int64_t run) {
      return world.query("select coalesce(node, '') from godwit.runs where run = " + std::to_string(run))[0];
    };
    CHECK(wait_until(60s, [&] { return owner(rests) == "n2" && owner(works) == "n2"; }));
    CHECK(two.wait_for_end(works).at("state") == "succeeded");
    // What was running when it was drained was not cut off, so no step was called twice.
    std::map<std::string, int> count;
    for (const auto& call : world.calls()) CHECK(++count[call.key] == 1);
    // It takes submits, and others do them.
    const auto late = world.submit(*world.nodes[0], 6, 1);
    CHECK(two.wait_for_end(late).at("state") == "succeeded");
    CHECK(owner(late) != "n1");
    two.call("node.undrain", {{"node", "n1"}});
    CHECK(wait_until(60s, [&] { return one.call("daemon.status").at("engine").at("nodes").at("draining") == false; }));
    two.call("run.cancel", {{"run", rests}});
  }
  SECTION("a run goes to a node with the labels it asks for") {
    const auto there =
        submit(one, "job: there\nlabels: {node.name: n2}\nstages:\n  a: {uses: count-search/1.search, with: {n: 1}}\n");
    CHECK(one.wait_for_end(there).at("state") == "succeeded");
    CHECK(world
              .query("select n.name from godwit.fold f join godwit.node n on n.id = f.node where n.id = godwit.owner(" +
                     std::to_string(there) + ")")
              .size() <= 1);
    const auto nowhere = submit(
        one, "job: nowhere\nlabels: {node.gpu: a100}\nstages:\n  a: {uses: count-search/1.search, with: {n: 1}}\n");
    REQUIRE(wait_until(60s, [&] {
      return world.query("select 1 from godwit.runs where node is null and run = " + std::to_string(nowhere)).size() ==
             1;
    }));
    CHECK(json::serialize(two.call("run.why", {{"run", nowhere}})).find("no_node") != std::string::npos);
    two.call("run.cancel", {{"run", nowhere}});
    CHECK(one.wait_for_end(nowhere).at("state") == "cancelled");
  }
}

// `ctest -C soak`: an empty machine is wanted.
TEST_CASE("a lock that is let go on one node is had on the other before anybody looks") {
  World world(2, kLongLease);
  world.add_job("turn", "job: turn\nstages:\n  lock: {lock: ledger}\n  go: {needs: [lock], wait_signal: go}\n");
  world.start();
  constexpr int kRuns = 9;
  std::vector<std::int64_t> runs;
  const auto at = [&](int i) -> DaemonProcess& { return world.nodes[static_cast<std::size_t>(i) % 2]->daemon; };
  const auto asked = [&] { return world.query("select count(*) from godwit.locks")[0]; };
  for (int i = 0; i < kRuns; ++i) {
    runs.push_back(at(i).call("run.submit", {{"job", "turn"}}).at("run").to_number<std::int64_t>());
    REQUIRE(wait_until(60s, [&] { return asked() == std::to_string(i + 1); }));
  }
  const auto start = base::tick();
  for (int i = 0; i < kRuns; ++i) {
    at(i).call("run.signal", {{"run", runs[static_cast<std::size_t>(i)]}, {"name", "go"}});
    CHECK(at(i).wait_for_end(runs[static_cast<std::size_t>(i)]).at("state") == "succeeded");
  }
  // Each node looks every five seconds anyway: eight times that would take twenty.
  CHECK(base::tick() - start < 18s);
}

TEST_CASE("ten thousand runs of a dead node are at work within a lease and two seconds", "[.takeover]") {
  World world(2);
  world.start();
  constexpr int kRuns = 10'000;
  for (int i = 0; i < 20; ++i) {
    json::array params;
    for (int n = 0; n < kRuns / 20; ++n) params.push_back(json::object{{"n", n}, {"delay_ms", 2000}});
    world.nodes[0]->daemon.call("run.submit_many", {{"job", "legs"}, {"params", params}});
  }
  REQUIRE(wait_until(60s, [&] {
    return world.nodes[0]->daemon.call("daemon.status").at("engine").at("runs_in_memory").to_number<int>() == kRuns;
  }));
  const auto died = base::tick();
  world.nodes[0]->daemon.kill();
  const auto at_work = [&] {
    return world.nodes[1]->daemon.call("daemon.status").at("engine").at("runs_in_memory").to_number<int>();
  };
  const bool all = wait_until(60s, [&] { return at_work() == kRuns; });
  const auto took = std::chrono::duration_cast<base::Duration>(base::tick() - died);
  WARN(kRuns << " runs were at work again after " << base::format_duration(took) << " with a lease of "
             << base::format_duration(kLease));
  REQUIRE(all);
  CHECK(took < kLease + 2s);
}
