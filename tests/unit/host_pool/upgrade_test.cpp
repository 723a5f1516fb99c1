// Goal: a new version of a plugin takes over without a call lost or repeated, and what is pinned to the old one keeps
// it. Method: files changed under a pool that is busy; the plugin itself writes down what it is asked.
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "pool_world.hpp"
#include "support/temp_dir.hpp"

using namespace godwit;
using support::configured;
using support::Listener;
using support::PoolWorld;
namespace fs = std::filesystem;

namespace {

const fs::path kVersion1 = GODWIT_BINARY_DIR "/test-plugins/count.so";
const fs::path kVersion2 = GODWIT_BINARY_DIR "/test-plugins-next/count.so";

// As a package manager does it: the new file takes the name in one step.
void install(const fs::path& file, const fs::path& as) {
  const fs::path fresh = as.string() + ".new";
  fs::copy_file(file, fresh, fs::copy_options::overwrite_existing);
  fs::rename(fresh, as);
}

class UpgradeWorld {
 public:
  UpgradeWorld() { install(kVersion1, folder / "count.so"); }

  PoolWorld make(host_pool::HostSettings settings) {
    // A process that nobody needs is retired soon; one that is slow to answer is not the subject.
    settings.ping_interval = std::chrono::milliseconds(50);
    settings.missed_pongs_max = 1'000'000;
    return PoolWorld(std::move(settings), {folder.path().string()});
  }
  static void reload(PoolWorld& world) {
    world.catalog().reload();
    world.pool().catalog_changed();
  }
  // The status of the process of one version.
  static base::json::object status(PoolWorld& world, const std::string& version) {
    for (const auto& host : world.pool().status())
      if (host.at("version") == base::json::string_view(version)) return host.as_object();
    return {};
  }

  support::TempDir folder;
};

}  // namespace

TEST_CASE("upgrades under 500 calls a second lose and repeat none") {
  constexpr int kCalls = 1500;
  UpgradeWorld upgrade;
  const std::string log = (upgrade.folder / "calls").string();
  PoolWorld world = upgrade.make(configured("test.count", "count", {{"log", log}}, upgrade.folder.path().string()));
  std::vector<Listener*> calls;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kCalls; ++i) {
    calls.push_back(&world.start("count.search", R"({"delay_ms": 5})"));
    world.run_until([&] { return std::chrono::steady_clock::now() >= begin + i * std::chrono::milliseconds(2); });
    if (i % 500 != 250) continue;
    install(i == 750 ? kVersion1 : kVersion2, upgrade.folder / "count.so");
    UpgradeWorld::reload(world);
  }
  for (Listener* call : calls) CHECK_THAT(world.output(*call), Catch::Contains("price"));
  std::map<std::string, int> lines;
  std::ifstream in(log);
  for (std::string line; std::getline(in, line);) ++lines[line.substr(0, line.find('\t'))];
  CHECK(lines.size() == kCalls);
  for (const auto& [key, count] : lines) CHECK(count == 1);
  const auto served = [&](const std::string& version) {
    return UpgradeWorld::status(world, version).at("calls").to_number<int>();
  };
  CHECK(served("1.0.0") >= 500);
  CHECK(served("2.0.0") >= 500);
  CHECK(served("1.0.0") + served("2.0.0") == kCalls);
  // Nobody needs the old process any more.
  world.run_until([&] { return UpgradeWorld::status(world, "1.0.0").at("state") == "idle"; });
  CHECK(UpgradeWorld::status(world, "1.0.0").at("crashes") == 0);
  CHECK(UpgradeWorld::status(world, "2.0.0").at("state") == "ready");
}

TEST_CASE("a running call ends in the version it began in, new ones go to the new version") {
  // Longer than a process takes to start and serve a call.
#ifdef __SANITIZE_ADDRESS__
  const std::string takes = R"({"delay_ms": 20000})";
#else
  const std::string takes = R"({"delay_ms": 4000})";
#endif
  UpgradeWorld upgrade;
  PoolWorld world = upgrade.make({});
  Listener& old = world.start("count.search", takes);
  world.run_until([&] { return old.starts == 1; });
  install(kVersion2, upgrade.folder / "count.so");
  CHECK(world.pool().resolve("count.search")->version == "1.0.0");
  UpgradeWorld::reload(world);
  CHECK(world.pool().resolve("count.search")->version == "2.0.0");
  CHECK_THAT(world.output(world.start("count.search")), Catch::Contains("price"));
  CHECK_FALSE(old.outcome);
  CHECK_THAT(world.output(old), Catch::Contains("price"));
  world.run_until([&] { return UpgradeWorld::status(world, "1.0.0").at("state") == "idle"; });
}

TEST_CASE("who holds on to a version can call it for as long, even after its file lost its name and its process died") {
  UpgradeWorld upgrade;
  PoolWorld world = upgrade.make({});
  const auto pinned = world.pool().resolve("count.search");
  install(kVersion2, upgrade.folder / "count.so");
  UpgradeWorld::reload(world);
  for (int i = 0; i < 2; ++i) {
    Listener& call = world.listener();
    world.begin(call, pinned, "{}");
    CHECK_THAT(world.output(call), Catch::Contains("price"));
    ::kill(static_cast<pid_t>(UpgradeWorld::status(world, "1.0.0").at("pid").as_int64()), SIGKILL);
    world.run_until([&] { return UpgradeWorld::status(world, "1.0.0").at("pid").is_null(); });
  }
}

TEST_CASE("versions side by side: names mean the newest, pins the one they name") {
  UpgradeWorld upgrade;
  install(kVersion2, upgrade.folder / "count-2.so");
  PoolWorld world = upgrade.make({});
  CHECK(world.catalog().problems().empty());
  CHECK(world.pool().resolve("count.search")->version == "2.0.0");
  CHECK(world.pool().resolve_version("count.search", "1.0.0")->version == "1.0.0");
  CHECK(world.pool().resolve_version("count.search", "2.0.0")->version == "2.0.0");
  CHECK(world.pool().resolve_version("count.search", "0.9")->version == "2.0.0");
  CHECK(world.catalog().describe().size() == 2);
  Listener& call = world.listener();
  world.begin(call, world.pool().resolve_version("count.search", "1.0.0"), "{}");
  CHECK_THAT(world.output(call), Catch::Contains("price"));
  CHECK(UpgradeWorld::status(world, "1.0.0").at("starts") == 1);
}

TEST_CASE("a reload leaves what has not changed as it was") {
  UpgradeWorld upgrade;
  PoolWorld world = upgrade.make({});
  const auto before = world.catalog().find("test.count");
  CHECK_THAT(world.output(world.start("count.search")), Catch::Contains("price"));
  UpgradeWorld::reload(world);
  CHECK(world.catalog().find("test.count") == before);
  CHECK_THAT(world.output(world.start("count.search")), Catch::Contains("price"));
  CHECK(UpgradeWorld::status(world, "1.0.0").at("starts") == 1);
}

TEST_CASE("a file that was written over in place is not loaded until a reload has looked at it") {
  UpgradeWorld upgrade;
  PoolWorld world = upgrade.make({});
  fs::copy_file(kVersion2, upgrade.folder / "count.so", fs::copy_options::overwrite_existing);
  const auto failed = world.failure(world.start("count.search"));
  CHECK(failed.code == "plugin_unusable");
  CHECK_THAT(failed.message, Catch::Contains("changed in place") && Catch::Contains("godwit reload"));
  UpgradeWorld::reload(world);
  CHECK_THAT(world.output(world.start("count.search")), Catch::Contains("price"));
  CHECK(UpgradeWorld::status(world, "2.0.0").at("starts") == 1);
}
