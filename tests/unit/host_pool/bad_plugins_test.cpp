#include <sys/wait.h>

#include <filesystem>

#include "pool_world.hpp"
#include "support/temp_dir.hpp"

using namespace godwit;
using support::Listener;
using support::open_fds;
using support::PoolWorld;

TEST_CASE("a plugin that segfaults costs its call, says why, and a neighbour does not notice") {
  PoolWorld world;
  Listener& neighbour = world.start("count.search", R"({"delay_ms": 100})");
  Listener& bad = world.start("segv");
  CHECK_THAT(world.output(bad), Catch::StartsWith("lost: crashed") && Catch::Contains("SIGSEGV") &&
                                    Catch::Contains("about to touch what is not mine"));
  CHECK_THAT(world.output(neighbour), Catch::Contains("price"));
  CHECK(world.status("test.count").at("crashes") == 0);
  CHECK(world.status("test.segv").at("crashes") == 1);
}

TEST_CASE("a plugin that calls exit(0) is lost, not successful") {
  PoolWorld world;
  CHECK_THAT(world.output(world.start("exit0")), Catch::StartsWith("lost: crashed") && Catch::Contains("exit code 0"));
}

TEST_CASE("a plugin that hangs is killed at its deadline and works again") {
  PoolWorld world;
  Listener& hung = world.start("hang", "{}", std::chrono::milliseconds(100));
  const auto failed = world.failure(hung);
  CHECK(failed.code == "timeout");
  CHECK(failed.retryable);
  CHECK_THAT(failed.message, Catch::Contains("100ms"));
  CHECK(world.output(world.start("hang", R"({"do": "not"})")) == "null");
}

TEST_CASE("other calls of a killed process are lost, those that had not begun go on") {
  PoolWorld world;
  Listener& other = world.start("hang");
  Listener& hung = world.start("hang", "{}", std::chrono::milliseconds(100));
  world.run_until([&] { return other.starts + hung.starts == 2; });
  for (int i = 0; i < 2; ++i) world.start("hang");  // the places are four
  Listener& queued = world.start("hang", R"({"do": "not"})");
  CHECK(world.failure(hung).code == "timeout");
  CHECK_THAT(world.output(other),
             Catch::StartsWith("lost: crashed") && Catch::Contains("did not end when it was told to"));
  CHECK(world.output(queued) == "null");
}

TEST_CASE("a call that ignores its cancellation is killed") {
  PoolWorld world;
  Listener& hung = world.start("hang");
  world.run_until([&] { return hung.starts == 1; });
  world.pool().cancel(world.last());
  CHECK(world.output(hung) == "cancelled");
}

TEST_CASE("a deadline that the plugin keeps costs no process") {
  PoolWorld world;
  Listener& call = world.start("caller", R"({"do": "wait"})", std::chrono::milliseconds(50));
  const auto failed = world.failure(call);
  CHECK(failed.code == "timeout");
  CHECK_FALSE(failed.retryable);  // its manifest does not say that it may be repeated
  CHECK(world.status("test.caller").at("crashes") == 0);
}

TEST_CASE("garbage on the protocol's socket ends the process") {
  PoolWorld world;
  CHECK_THAT(world.output(world.start("garbage")),
             Catch::StartsWith("lost: crashed") && Catch::Contains("broke the protocol"));
}

TEST_CASE("a flood of output is drained, limited and counted") {
  PoolWorld world;
  Listener& call = world.start("noisy");
  CHECK(world.output(call) == R"("said it all")");
  CHECK(call.log_size < 40u * 1024 * 1024);
  CHECK(call.log_size > 1024u * 1024);
}

TEST_CASE("files that are no good plugins are problems of the catalog, not errors") {
  const support::TempDir folder;
  std::filesystem::copy(GODWIT_BINARY_DIR "/test-plugins/noop.so", folder / "a.so");
  std::filesystem::copy(GODWIT_BINARY_DIR "/test-plugins/abi2.so", folder / "b.so");
  std::filesystem::copy("/bin/true", folder / "c.so");
  const host_pool::PluginCatalog catalog({folder.path().string(), "/no/such/folder"}, {{"chat/1", "x"}});
  CHECK(catalog.plugins().size() == 1);
  REQUIRE(catalog.problems().size() == 4);
  CHECK_THAT(catalog.problems()[0].text(), Catch::Contains("ABI 2"));
  CHECK_THAT(catalog.problems()[1].text(), Catch::Contains("no godwit manifest"));
  CHECK_THAT(catalog.problems()[2].text(), Catch::Contains("/no/such/folder"));
  CHECK_THAT(catalog.problems()[3].text(), Catch::Contains("chat/1"));
}

TEST_CASE("names are resolved with help for those that do not exist") {
  const host_pool::PluginCatalog catalog({GODWIT_BINARY_DIR "/test-plugins"}, {});
  CHECK(catalog.resolve("count.search")->plugin == "test.count");
  CHECK(catalog.resolve("count-search/1.search")->name == "count.search");
  CHECK_THROWS_WITH(catalog.resolve("count.serch"), Catch::Contains("count.search"));
  CHECK_THROWS_WITH(catalog.resolve("count-search/1.find"), Catch::Contains("it has: search"));
  CHECK_THROWS_WITH(catalog.resolve("count-search/1"), Catch::Contains("lacks a method"));
  CHECK_THROWS_WITH(catalog.resolve("chat/1.say"), Catch::Contains("no installed plugin implements"));
}

TEST_CASE("crash after crash the process is started again, and nothing is left behind") {
  const std::size_t fds = open_fds();
  {
    PoolWorld world;
    for (int i = 0; i < 6; ++i) CHECK_THAT(world.output(world.start("segv")), Catch::Contains("SIGSEGV"));
    CHECK(world.status("test.segv").at("starts") == 6);
    for (const char* plugin : {"noop", "exit0", "garbage"}) world.output(world.start(plugin));
    world.stop();
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  }
  CHECK(open_fds() == fds);
}

TEST_CASE("the pauses between restarts double") {
  PoolWorld world;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 6; ++i) world.output(world.start("segv"));
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(10 + 20 + 40 + 80 + 160));
}

TEST_CASE("stopping lets calls in flight end, cancels those that wait, and reaps every process") {
  PoolWorld world;
  Listener& slow = world.start("count.search", R"({"delay_ms": 200})");
  for (int i = 0; i < 2; ++i) world.start("caller", R"({"do": "emit", "rows": []})");
  world.run_until([&] { return slow.starts == 1; });
  std::vector<Listener*> queued;
  for (int i = 0; i < 20; ++i) queued.push_back(&world.start("count.search", R"({"delay_ms": 1})"));
  world.stop();
  CHECK_THAT(world.output(slow), Catch::Contains("price"));
  CHECK(world.output(*queued.back()) == "cancelled");
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("a pool that is destroyed in the middle of calls kills its processes and tells nobody") {
  PoolWorld world;
  Listener& hung = world.start("hang");
  world.run_until([&] { return hung.starts == 1; });
  world.pool().cancel(world.last());
  world.destroy_pool();
  world.run_ready();
  CHECK_FALSE(hung.outcome);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}
