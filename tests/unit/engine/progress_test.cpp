#include "engine/progress.hpp"

#include <catch2/catch.hpp>

using namespace godwit;
namespace json = base::json;

TEST_CASE("fields of progress take the place of older ones, and no plugin makes a run keep more than so many") {
  json::object shown;
  CHECK(engine::show_fields(shown, {{"best", 7}, {"seen", 1}}).empty());
  CHECK(engine::show_fields(shown, {{"seen", 2}}).empty());
  CHECK(json::serialize(shown) == R"({"best":7,"seen":2})");
  CHECK(engine::show_fields(shown, {{"seen", std::string(4096, 'x')}, {"best", 8}}) == "seen");
  CHECK(engine::show_fields(shown, {{std::string(5000, 'n'), 1}}) == std::string(80, 'n'));
  CHECK(json::serialize(shown) == R"({"best":8,"seen":2})");
  std::string refused;
  for (int i = 0; i < 1000 && refused.empty(); ++i) refused = engine::show_fields(shown, {{std::to_string(i), i}});
  CHECK(refused == "62");
  CHECK(shown.size() == 64);
  CHECK(engine::show_fields(shown, {{"best", 9}}).empty());
  CHECK(shown.at("best") == 9);
}
