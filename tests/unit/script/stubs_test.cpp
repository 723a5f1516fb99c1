// Goal: what editors are told is what there is. Method: the table that registers gw, and the shipped file.
#include <catch2/catch.hpp>

#include <fstream>

#include "script/api.hpp"
#include "script/stubs.hpp"
#include "script_world.hpp"

using namespace godwit;

TEST_CASE("every function of gw is documented, and is there") {
  for (const auto& function : script::api()) {
    INFO(function.name);
    CHECK_FALSE(function.doc.empty());
    CHECK(function.call != nullptr);
    CHECK_THAT(script::stubs(), Catch::Contains("function gw." + function.name + "("));
    CHECK_THAT(script::reference(), Catch::Contains("### gw." + function.name + "("));
  }
}

TEST_CASE("the stubs are Lua, and know the methods of plugins") {
  const auto args = base::parse_json(
      R"({"required":["to"],"properties":{"to":{"type":"string","description":"whom"},"tags":{"type":"array","items":{"type":"integer"}}}})");
  const std::string text = script::stubs({{"mail.send", "Sends a mail.", args.as_object()}});
  CHECK_THAT(text, Catch::Contains("---@field to string whom") && Catch::Contains("---@field tags? integer[]"));
  CHECK_THAT(
      text,
      Catch::Contains(
          "---@overload fun(method: \"mail.send\", args: godwit.args.mail.send, opts?: godwit.CallOptions): any"));
  // It parses: what is wrong with it as a script is that it sets a global.
  test::ScriptWorld world(text);
  CHECK_THROWS_WITH(world.go(), Catch::Contains("global names cannot be set"));
}

TEST_CASE("the stubs that are shipped are those of this version") {
  std::ifstream in(std::string(GODWIT_SOURCE_DIR) + "/sdk/lua/godwit.d.lua", std::ios::binary);
  const std::string shipped{std::istreambuf_iterator<char>(in), {}};
  INFO("write it anew: godwit lua stubs --plugin-dir /nowhere > sdk/lua/godwit.d.lua");
  CHECK(shipped == script::stubs());
}
