#include "wire/manifest.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"

using namespace godwit;

namespace {

std::vector<std::string> problems(std::string_view text) {
  try {
    wire::parse_manifest(text, "plugin.json");
  } catch (const base::Error& error) {
    std::vector<std::string> result;
    for (const auto& problem : error.problems()) result.push_back(problem.text());
    return result;
  }
  return {};
}

bool has(const std::vector<std::string>& list, const std::string& part) {
  for (const auto& text : list)
    if (text.find(part) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("a manifest says everything about its units") {
  const auto manifest = wire::parse_manifest(
      R"({"id": "com.example.trips", "version": "1.4.0", "abi": {"major": 1, "minor": 0}, "concurrency": 8,
    "cancel_ms": 500, "units": [
      {"id": "offers.rank", "kind": "stage", "description": "d", "retry_safe": true, "pure": true, "args": {"type": "object"}},
      {"id": "air", "kind": "provider", "implements": ["flight-search/1"], "methods": {"search": {"retry_safe": true}, "book": {}}}]})",
      "plugin.json");
  CHECK(manifest.cancel == std::chrono::milliseconds(500));
  REQUIRE(manifest.units.size() == 2);
  const wire::Unit& stage = manifest.units[0];
  CHECK(stage.callable_name("") == "offers.rank");
  CHECK(stage.methods.at("").args.at("type") == "object");
  const wire::Unit& provider = manifest.units[1];
  CHECK(provider.callable_name("search") == "air.search");
  CHECK(provider.methods.at("search").retry_safe);
  CHECK_FALSE(provider.methods.at("book").retry_safe);
  CHECK(provider.implements == std::vector<std::string>{"flight-search/1"});
}

TEST_CASE("every problem of a manifest is reported with its place") {
  const auto found = problems(R"({"version": 1, "abi": {"major": 1}, "concurrency": 0, "unit": 1, "units": [
    {"id": "a b", "kind": "stages"}, {"id": "p", "kind": "provider", "methods": {"x.y": {}, "z": 1}, "implements": ["flight"]},
    {"id": "s", "kind": "stage", "retrysafe": true}, {"id": "s", "kind": "stage"}, 7]})");
  CHECK(has(found, "id"));
  CHECK(has(found, "(version): must be a string"));
  CHECK(has(found, "(concurrency): must be a whole number from 1 to 1024"));
  CHECK(has(found, "(unit): is no key of a manifest here"));
  CHECK(has(found, "(units[0].id): \"a b\""));
  CHECK(has(found, "(units[0].kind): \"stages\" is neither"));
  CHECK(has(found, "(units[1].methods.x.y)"));
  CHECK(has(found, "(units[1].methods.z): must be an object"));
  CHECK(has(found, "(units[1].implements)"));
  CHECK(has(found, "retry_safe"));
  CHECK(has(found, "(units[3].id): \"s\" is there twice"));
  CHECK(has(found, "(units[4]): must be an object"));
}

TEST_CASE("a plugin for another ABI is refused with both versions and nothing else") {
  const auto found =
      problems(R"({"id": "x", "version": "1", "abi": {"major": 2, "minor": 0}, "novelty": true, "units": []})");
  REQUIRE(found.size() == 1);
  CHECK_THAT(found[0], Catch::Contains("ABI 2") && Catch::Contains("ABI 1"));
}

TEST_CASE("what is no JSON object is no manifest") {
  CHECK(has(problems("[]"), "JSON object"));
  CHECK(has(problems("{"), "not JSON"));
  CHECK(has(problems(""), "not JSON"));
}

TEST_CASE("a manifest says which extensions it needs, and godwit says which it lacks") {
  const auto read = [](const std::string& members) {
    return wire::parse_manifest(R"({"id": "a", "version": "1", "abi": {"major": 1, "minor": 0}, )" + members +
                                    R"(, "units": [{"id": "a", "kind": "stage"}]})",
                                "plugin.json");
  };
  const auto manifest = read(R"("needs": ["godwit.http/1"], "wants": ["godwit.secret/1", "com.example.x/3"])");
  CHECK(wire::missing_extensions(manifest, false, "f").empty());
  CHECK(wire::given_extensions(manifest, false) == std::vector<std::string>{"godwit.http/1", "godwit.secret/1"});
  const auto later = wire::missing_extensions(read(R"("needs": ["godwit.http/2"])"), false, "f");
  REQUIRE(later.size() == 1);
  CHECK_THAT(later[0].text(), Catch::Contains("godwit.http/2, which this godwit does not have"));
  const auto draft = read(R"("needs": ["godwit.draft.x/1"])");
  CHECK_THAT(wire::missing_extensions(draft, false, "f").at(0).text(), Catch::Contains("developer: true"));
  CHECK_THAT(wire::missing_extensions(draft, true, "f").at(0).text(), Catch::Contains("does not have"));
  CHECK_THROWS_AS(read(R"("needs": ["http"])"), base::Error);
  CHECK_THROWS_AS(read(R"("wants": "godwit.http/1")"), base::Error);
}
