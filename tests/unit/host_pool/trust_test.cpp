// Goal: nobody but root and the daemon's user decides what code runs. Method: real files with wrong owners and modes.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/json.hpp"
#include "host_pool/plugin_catalog.hpp"
#include "host_pool/plugin_trust.hpp"
#include "support/temp_dir.hpp"

using namespace godwit;
using host_pool::distrust;
using host_pool::PluginCatalog;
namespace fs = std::filesystem;

namespace {

class TrustWorld {
 public:
  TrustWorld() {
    fs::create_directory(folder / "plugins");
    fs::copy_file(GODWIT_BINARY_DIR "/test-plugins/noop.so", file);
    fs::permissions(file, fs::perms(0644));
  }
  // The one problem there is, or nothing.
  std::string problem(PluginCatalog::Pins pins = {}) const {
    const PluginCatalog catalog({(folder / "plugins").string()}, {}, std::move(pins));
    CHECK(catalog.plugins().empty() == !catalog.problems().empty());
    return catalog.problems().empty() ? std::string() : catalog.problems().front().text();
  }

  support::TempDir folder;
  fs::path file = folder / "plugins" / "noop.so";
};

}  // namespace

TEST_CASE("a plugin that only its owner can change is used") {
  TrustWorld world;
  CHECK(world.problem().empty());
  CHECK(distrust(world.file.string()).empty());
}

TEST_CASE("a plugin that others can change is refused with the reason") {
  TrustWorld world;
  fs::permissions(world.file, fs::perms(0664));
  CHECK_THAT(world.problem(), Catch::Contains("noop.so can be changed by its group") && Catch::Contains("chmod go-w"));
  fs::permissions(world.file, fs::perms(0646));
  CHECK_THAT(world.problem(), Catch::Contains("noop.so can be changed by everybody"));
}

TEST_CASE("a directory that others can change makes all its plugins refused") {
  TrustWorld world;
  fs::permissions(world.folder / "plugins", fs::perms(01777));
  CHECK_THAT(world.problem(), Catch::Contains("no plugin of this directory is used") && Catch::Contains("everybody"));
  fs::permissions(world.folder / "plugins", fs::perms(0755));
  fs::permissions(world.folder.path(), fs::perms(0775));
  CHECK_THAT(world.problem(), Catch::Contains("can be changed by its group"));
}

TEST_CASE("what belongs to somebody else is refused, and so is a link that leads there") {
  if (::geteuid() != 0) {
    WARN("skipped: needs root to give files away");
    SUCCEED();
    return;
  }
  TrustWorld world;
  REQUIRE(::chown(world.file.c_str(), 12345, 12345) == 0);
  CHECK_THAT(world.problem(), Catch::Contains("belongs to user 12345"));
  fs::rename(world.file, world.folder / "elsewhere.so");
  fs::create_symlink(world.folder / "elsewhere.so", world.file);
  CHECK_THAT(world.problem(), Catch::Contains("elsewhere.so belongs to user 12345"));
}

TEST_CASE("with pins only the listed files are loaded") {
  TrustWorld world;
  const PluginCatalog catalog({(world.folder / "plugins").string()}, {});
  const std::string sum = catalog.find("test.noop")->file.sha256();
  CHECK(world.problem({{"test.noop", {std::string(64, 'a'), sum}}}).empty());
  CHECK(world.problem({{"test.noop", {}}}).empty());
  CHECK_THAT(world.problem({{"test.noop", {std::string(64, 'a')}}}),
             Catch::Contains("its SHA-256 is " + sum) && Catch::Contains("plugins.test.noop.sha256"));
  const PluginCatalog refusing({(world.folder / "plugins").string()}, {}, {{"test.noop", {std::string(64, 'a')}}});
  REQUIRE(refusing.describe().size() == 1);
  CHECK_THAT(base::json::serialize(refusing.describe()), Catch::Contains("refused"));
}

TEST_CASE("the operator's settings decide on pins, providers and drafts, for whoever makes a catalog") {
  TrustWorld world;
  config::Settings settings;
  settings.plugin_dirs = {(world.folder / "plugins").string()};
  CHECK(PluginCatalog(settings).find("test.noop"));
  settings.plugins["test.noop"].sha256 = {std::string(64, 'a')};
  CHECK_FALSE(PluginCatalog(settings).find("test.noop"));
  settings.plugins.clear();
  settings.providers = {{"chat/1", "noop"}};
  CHECK_FALSE(PluginCatalog(settings).problems().empty());
}
