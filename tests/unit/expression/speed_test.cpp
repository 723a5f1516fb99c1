#include <catch2/catch.hpp>

#include "unit/expression/fixture.hpp"

using namespace godwit;
using expression::test::World;

namespace {

// Evaluations per second of the processor's time, of one compiled expression.
double rate(World& world, const std::string& source, int times) {
  const auto compiled = world.language.compile(model::Expression{source, {}});
  const auto start = base::thread_cpu_time();
  for (int i = 0; i < times; ++i) world.language.evaluate(*compiled, world.scope);
  return times / std::chrono::duration<double>(base::thread_cpu_time() - start).count();
}

}  // namespace

TEST_CASE("an item's expressions are evaluated fast enough for thousands of items") {
  World world;
  // What one item of a large run must not pay for: the size of the parameters.
  auto& list = world.params.as_object()["long"] = base::json::array();
  for (int i = 0; i < 100'000; ++i) list.as_array().push_back(base::json::object{{"n", i}});
  const double path = rate(world, "item[1].origin", 100'000);
  const double lua = rate(world, "params.long[index].n + 1", 20'000);
  const double text = rate(world, "item[1].origin .. '-' .. item[2]", 20'000);
  WARN("evaluations per second: " << static_cast<long>(path) << " of a path, " << static_cast<long>(lua)
                                  << " with Lua, " << static_cast<long>(text) << " of a text");
  CHECK(path > 50'000);
  CHECK(lua > 5'000);
}
