// Goal: whatever a plugin does, it costs its own calls and nothing else, and the report names the cause. Method: each
// animal of the zoo beside a neighbour that is busy, in one pool.
#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "pool_world.hpp"
#include "support/resident.hpp"
#include "support/temp_dir.hpp"
#include "support/zoo.hpp"

using namespace godwit;
using support::Listener;
using support::open_fds;
using support::PoolWorld;
namespace json = base::json;

namespace {

constexpr int kNeighbourCalls = 200;

// As an operator would write it.
host_pool::HostSettings settings_for(const support::Animal& animal) {
  const support::TempDir dir;
  const std::string file = (dir / "godwit.yaml").string();
  std::ofstream(file) << "plugins: {zoo." << animal.name << ": " << animal.settings << "}\n";
  host_pool::HostSettings settings;
  settings.plugins = config::read_settings({"--config", file}, {}).settings.plugins;
  // Who is busy has time to answer on a busy machine; who never will is not waited for.
  const bool is_mute = std::string_view(animal.expected).find("pings") != std::string_view::npos;
  settings.ping_interval = std::chrono::milliseconds(is_mute ? 500 : 1000);
  return settings;
}

}  // namespace

TEST_CASE("each animal of the zoo costs its own call, and the report names the cause") {
  REQUIRE(support::zoo().size() >= 25);
  const support::ZooFolder zoo;
  for (const support::Animal& animal : support::zoo()) {
    INFO(animal.name);
    const std::size_t fds = open_fds();
    {
      PoolWorld world(settings_for(animal), {zoo.path(), GODWIT_BINARY_DIR "/test-plugins"});
      Listener& bad =
          world.start(std::string("zoo.") + animal.name, animal.input, std::chrono::milliseconds(animal.timeout_ms));
      std::vector<Listener*> neighbours;
      for (int i = 0; i < kNeighbourCalls; ++i) neighbours.push_back(&world.start("noop", std::to_string(i)));
      CHECK_THAT(world.output(bad), Catch::Contains(animal.expected));
      for (int i = 0; i < kNeighbourCalls; ++i) CHECK(world.output(*neighbours[i]) == std::to_string(i));
      CHECK(world.output(world.start("noop", "7")) == "7");
      world.stop();
      CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
      // What a plugin had started is somebody else's child, who may take his time with it.
      world.run_until([&] { return zoo.served().empty(); });
    }
    CHECK(open_fds() == fds);
  }
  CHECK(std::filesystem::exists(GODWIT_BINARY_DIR "/zoo/bait"));
}

TEST_CASE("a call that asks before it has its answer ends its process, so that nothing piles up in the daemon") {
  PoolWorld world(support::lenient(), {GODWIT_BINARY_DIR "/zoo", GODWIT_BINARY_DIR "/test-plugins"});
  Listener& call = world.start("zoo.asks_at_once");
  REQUIRE(world.last() == 1);  // the number that it writes into its frames
  CHECK_THAT(world.output(call), Catch::Contains("asks before it has the answer"));
}

TEST_CASE("checkpoints of one attempt have room for so much and no more") {
  host_pool::CheckpointBudget budget;
  const std::string piece(1u << 20, 'x');
  for (int i = 0; i < 64; ++i) CHECK(budget.add(std::to_string(i), piece));
  CHECK_FALSE(budget.add("one more", "1"));
  CHECK(budget.add("0", "1"));  // takes the place of a larger one
  CHECK(budget.add("one more", "1"));
  host_pool::CheckpointBudget keys;
  for (std::size_t i = 0; i < host_pool::CheckpointBudget::kKeysMax; ++i) CHECK(keys.add(std::to_string(i), "1"));
  CHECK_FALSE(keys.add("one more", "1"));
  CHECK(keys.add("7", "2"));
}

TEST_CASE("a thread that outlives its call takes down its own process only, and the next call has a new one") {
  PoolWorld world(support::lenient(), {GODWIT_BINARY_DIR "/zoo"});
  CHECK_THAT(world.output(world.start("zoo.outlives")), Catch::Contains("done"));
  world.run_until([&] { return world.status("zoo.outlives").at("crashes") == 1; });
  CHECK_THAT(json::serialize(world.status("zoo.outlives").at("last_crash")), Catch::Contains("SIGABRT"));
  CHECK_THAT(world.output(world.start("zoo.outlives")), Catch::Contains("done"));
}

TEST_CASE("five crashes within ten minutes end in quarantine until somebody resets it") {
  PoolWorld world(host_pool::HostSettings(), {GODWIT_BINARY_DIR "/zoo", GODWIT_BINARY_DIR "/test-plugins"});
  for (int i = 0; i < 5; ++i) CHECK_THAT(world.output(world.start("zoo.segv")), Catch::Contains("lost: crashed"));
  CHECK(world.status("zoo.segv").at("state") == "quarantine");
  const auto refused = world.failure(world.start("zoo.segv"));
  CHECK(refused.code == "quarantined");
  CHECK_FALSE(refused.retryable);
  CHECK_THAT(refused.message, Catch::Contains("SIGSEGV") && Catch::Contains("about to touch what is not mine") &&
                                  Catch::Contains("godwit plugin reset zoo.segv"));
  CHECK(world.status("zoo.segv").at("starts") == 5);
  const auto report = world.status("zoo.segv").at("last_crash");
  CHECK(report.at("calls").at(0).at("callable") == "zoo.segv");
  CHECK(world.output(world.start("noop", "1")) == "1");
  CHECK_THROWS_WITH(world.pool().reset("zoo.unheard_of"), Catch::Contains("no plugin"));
  world.pool().reset("zoo.segv");
  CHECK_THAT(world.output(world.start("zoo.segv")), Catch::Contains("lost: crashed"));
}

TEST_CASE("a quarantine outlives the pool, for that version of the plugin only, until it is reset") {
  const support::TempDir dir;
  host_pool::HostSettings settings;
  settings.quarantine_dir = (dir / "quarantine").string();
  settings.crashes_max = 1;
  const std::vector<std::string> zoo{GODWIT_BINARY_DIR "/zoo"};
  {
    PoolWorld world(settings, zoo);
    CHECK_THAT(world.output(world.start("zoo.segv")), Catch::Contains("lost: crashed"));
  }
  {
    PoolWorld world(settings, zoo);
    CHECK(world.status("zoo.segv").at("state") == "quarantine");
    CHECK(world.status("zoo.segv").at("last_crash").at("calls").at(0).at("callable") == "zoo.segv");
    const auto refused = world.failure(world.start("zoo.segv"));
    CHECK(refused.code == "quarantined");
    CHECK_THAT(refused.message, Catch::Contains("SIGSEGV") && Catch::Contains("godwit plugin reset zoo.segv"));
    CHECK(world.status("zoo.aborts").empty());
  }
  {
    // Another file of the same plugin is another version.
    std::filesystem::create_directory(dir / "plugins");
    std::filesystem::copy_file(GODWIT_BINARY_DIR "/zoo/segv.so", dir / "plugins" / "segv.so");
    std::ofstream(dir / "plugins" / "segv.so", std::ios::app) << "more";
    PoolWorld world(settings, {(dir / "plugins").string()});
    CHECK(world.status("zoo.segv").empty());
  }
  {
    PoolWorld world(settings, zoo);
    world.pool().reset("zoo.segv");
    CHECK_THAT(world.output(world.start("zoo.segv")), Catch::Contains("lost: crashed"));
    world.pool().reset("zoo.segv");
  }
  CHECK(PoolWorld(settings, zoo).status("zoo.segv").empty());
}

TEST_CASE("a plugin that is killed by somebody, or for a deadline of its caller, does not come into quarantine") {
  host_pool::HostSettings settings;
  settings.crashes_max = 2;
  PoolWorld world(std::move(settings), {GODWIT_BINARY_DIR "/zoo", GODWIT_BINARY_DIR "/test-plugins"});
  for (int i = 0; i < 3; ++i)
    CHECK_THAT(world.output(world.start("zoo.hangs", "null", std::chrono::milliseconds(20))),
               Catch::Contains("timeout"));
  CHECK(world.status("zoo.hangs").at("state") != "quarantine");
  for (int i = 0; i < 3; ++i) {
    Listener& call = world.start("count.search", R"({"delay_ms": 5000})");
    world.run_until([&] { return call.starts == 1; });
    ::kill(static_cast<pid_t>(world.status("test.count").at("pid").as_int64()), SIGKILL);
    CHECK_THAT(world.output(call), Catch::Contains("SIGKILL"));
  }
  CHECK(world.status("test.count").at("state") != "quarantine");
}

TEST_CASE("hosts that die leave nothing behind") {
  const char* wanted = std::getenv("GODWIT_DEATHS");
  const int deaths = wanted ? std::atoi(wanted) : 200;
  PoolWorld world(support::lenient(), {GODWIT_BINARY_DIR "/zoo"});
  const auto die = [&](int count) {
    for (int i = 0; i < count; ++i) {
      INFO("death " << i);
      REQUIRE_THAT(world.output(world.start("zoo.vanishes")), Catch::Contains("exit code 0"));
      world.pool().reset("zoo.vanishes");
    }
  };
  die(50);
  const std::size_t fds = open_fds(), memory = support::resident();
  die(deaths);
  // One of the first fifty may have been on its way out then, and the last one may be now.
  world.run_until([&] { return open_fds() <= fds; });
  // The world keeps what each call gave: less than a KiB.
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed for a while, and says itself what leaks
  CHECK(support::resident() < memory + (4u << 20) + static_cast<std::size_t>(deaths) * 2048);
#else
  (void)memory;
#endif
  world.stop();
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}
