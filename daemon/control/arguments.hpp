#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "model/run.hpp"

namespace godwit::control {

enum class ParameterType { text, count, whole, boolean, object, objects, texts, run, any };

// One parameter of a command.
struct Parameter {
  std::string_view name;
  ParameterType type = ParameterType::text;
  bool required = false;
  std::string_view summary;  // one sentence
};

// What a parameter's type takes, in words: "a whole number, 0 or more".
std::string_view describe(ParameterType type);

// The parameters of one request, checked against the command's table. A null is the same as a parameter that is not
// given.
class Arguments {
 public:
  // Throws Error(refused) with everything that is wrong: unknown names, wrong types, missing ones.
  static Arguments check(base::json::object given, const std::vector<Parameter>& table);

  bool has(std::string_view name) const { return given_.contains(name); }
  // Each gives the value, or `otherwise` when the parameter was not given.
  std::string text(std::string_view name, std::string otherwise = {}) const;
  std::int64_t count(std::string_view name, std::int64_t otherwise = 0) const;
  bool boolean(std::string_view name, bool otherwise = false) const;
  std::vector<std::string> texts(std::string_view name) const;
  // JSON text of any value; "null" when it was not given.
  std::string any(std::string_view name) const;
  base::json::object take_object(std::string_view name);
  base::json::array take_objects(std::string_view name);
  model::RunId run(std::string_view name = "run") const;
  std::optional<model::RunId> find_run(std::string_view name) const;

 private:
  base::json::object given_;
};

}  // namespace godwit::control
