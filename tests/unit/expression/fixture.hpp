#pragma once
#include <string>

#include "base/json.hpp"
#include "expression/language.hpp"

namespace godwit::expression::test {

namespace json = base::json;

// A language with a scope of parameters and two finished stages, as an item of a foreach sees it.
struct World {
  explicit World(Budget budget = {}) : language(budget) {
    run.set("params", params);
    run.set_member("stages", "search", search);
    run.set_member("stages", "rank", rank);
    scope.set("item", item);
    scope.set("index", index);
  }

  json::value operator()(const std::string& source) {
    return language.evaluate(*language.compile(model::Expression{source, {"job.yaml", 7, 12, "stages.search.when"}}),
                             scope);
  }
  // The same without the short cut for paths.
  json::value through_lua(const std::string& source) { return (*this)("(" + source + ")"); }
  // What the evaluation fails with.
  std::string error(const std::string& source) {
    try {
      return "no error but " + json::serialize((*this)(source));
    } catch (const base::Error& error) {
      return error.what();
    }
  }

  json::value params = base::parse_json(
      R"({"name":"Ada","seats":2,"price":12.5,"none":null,"ok":true,"tags":["b","a"],"deep":{"list":[[1,2],[3]]},
    "empty_list":[],"empty_object":{},"travelers":[{"id":"a","origin":"FRA","max":1},{"id":"b","origin":"JFK","max":null}],"big":18446744073709551615})");
  json::value search = base::parse_json(R"({"items":[{"price":90},{"price":120.5},null]})");
  json::value rank = base::parse_json(R"(["LIS","OPO"])");
  json::value item = base::parse_json(R"([{"id":"a","origin":"FRA"},"LIS"])");
  json::value index = 3;
  Language language;
  Scope run;
  Scope scope{&run};
};

}  // namespace godwit::expression::test
