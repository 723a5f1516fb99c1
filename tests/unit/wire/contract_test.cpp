#include "wire/contract.hpp"

#include <catch2/catch.hpp>

using namespace godwit;

namespace {

std::string problems(const std::string& unit) {
  const auto manifest = wire::parse_manifest(
      R"({"id": "a", "version": "1", "abi": {"major": 1, "minor": 0}, "units": [)" + unit + "]}", "plugin.json");
  std::string text;
  for (const auto& problem : wire::contract_problems(manifest.units[0], "plugin.json")) text += problem.text() + "\n";
  return text;
}

}  // namespace

TEST_CASE("a provider that claims a contract has what the contract promises") {
  CHECK(
      problems(
          R"({"id": "e", "kind": "provider", "implements": ["embed/1"], "methods": {"embed": {"retry_safe": true}, "more": {}}})")
          .empty());
  CHECK_THAT(
      problems(
          R"({"id": "e", "kind": "provider", "implements": ["embed/1"], "methods": {"embedd": {"retry_safe": true}}})"),
      Catch::Contains("units.e.methods.embed") && Catch::Contains("is missing, and embed/1 has it"));
  CHECK_THAT(problems(R"({"id": "e", "kind": "provider", "implements": ["embed/1"], "methods": {"embed": {}}})"),
             Catch::Contains("\"retry_safe\" must be true"));
  CHECK_THAT(
      problems(R"({"id": "e", "kind": "provider", "implements": ["embed/1"], "methods": {"embed": {"retry_safe": true,
                          "args": {"additionalProperties": false, "required": ["model"], "properties": {"texts": {}, "model": {}}}}}})"),
      Catch::Contains("does not take the parameter \"dimensions\"") && Catch::Contains("requires \"model\""));
}

TEST_CASE("a contract of somebody else is his own business") {
  CHECK(
      problems(R"({"id": "e", "kind": "provider", "implements": ["com.example.x/1"], "methods": {"m": {}}})").empty());
  CHECK_FALSE(wire::find_contract("embed/2"));
}
