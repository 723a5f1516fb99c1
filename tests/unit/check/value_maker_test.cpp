// Goal: the checker reaches the code behind a schema. Method: values made for every contract must fit it, and spoilt
// ones mostly not.
#include "check/value_maker.hpp"

#include <catch2/catch.hpp>
#include <regex>

#include "jobfile/schema.hpp"
#include "support/seed.hpp"
#include "wire/contract.hpp"

using namespace godwit;
namespace json = base::json;

namespace {

json::object part_of(const json::object& contract, const json::value& part) {
  json::object schema = part.as_object();
  schema["definitions"] = contract.at("definitions");
  return schema;
}

}  // namespace

TEST_CASE("values fit the schemas of every contract they are made for") {
  std::mt19937_64 random(support::seed());
  CHECK(wire::contract_names().size() == 7);
  for (const auto& name : wire::contract_names()) {
    const json::object& contract = *wire::find_contract(name);
    for (const auto& method : contract.at("methods").as_object())
      for (const char* part : {"args", "result"}) {
        const json::object schema = part_of(contract, method.value().at(part));
        const jobfile::Schema compiled(schema, name);
        check::ValueMaker maker(schema, random);
        int fitting = 0, spoilt = 0;
        for (int i = 0; i < 100; ++i) {
          const json::value value = maker.make();
          fitting += compiled.violations(value).empty() ? 1 : 0;
          spoilt += compiled.violations(maker.spoil(value)).empty() ? 0 : 1;
        }
        INFO(name << " " << method.key() << " " << part);
        CHECK(fitting >= 80);
        CHECK(spoilt >= 20);
      }
  }
}

TEST_CASE("a contract says of each method what it means, whether it may be repeated, and how it fails") {
  for (const auto& name : wire::contract_names()) {
    INFO(name);
    const json::object& contract = *wire::find_contract(name);
    CHECK(contract.at("title") == contract.at("contract"));
    for (const auto& method : contract.at("methods").as_object()) {
      CHECK(method.value().at("description").as_string().size() > 20);
      CHECK(method.value().at("retry_safe").is_bool());
      for (const auto& error : method.value().at("errors").as_object()) {
        CHECK(error.value().at("retryable").is_bool());
        CHECK(error.value().at("description").as_string().size() > 10);
      }
    }
  }
}

TEST_CASE("texts match the pattern they are made from") {
  std::mt19937_64 random(support::seed());
  for (const char* pattern : {"^[A-Z]{3}$", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "^(a|bc)+$", "^\\d{2,4}x?$",
                              "^sha256:[0-9a-f]{64}$", "^[^x]*$", "^(?:ab){2}[._-]$"})
    for (int i = 0; i < 20; ++i) {
      const std::string text = check::text_matching(pattern, random);
      INFO(pattern << " " << text);
      CHECK(std::regex_match(text, std::regex(pattern)));
    }
}
