// Goal: plugins that earlier versions of the SDK built go on working. Method: run the stored ones.
#include "pool_world.hpp"

using namespace godwit;
using support::PoolWorld;

#if defined(__x86_64__)
TEST_CASE("plugins that earlier versions built still run") {
  PoolWorld world({}, {GODWIT_SOURCE_DIR "/tests/abi/plugins"});
  CHECK(world.output(world.start("old_c", R"({"who":"you","times":2})")) == R"({"who":"you","times":2})");
  CHECK(world.output(world.start("old_cpp", R"({"who":"you","times":2})")) ==
        R"({"greetings":["Hello, you!","Hello, you!"]})");
  CHECK_THAT(world.output(world.start("old_cpp", R"({"times":0})")), Catch::Contains("times must be at least 1"));
}
#endif
