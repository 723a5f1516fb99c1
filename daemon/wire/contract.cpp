#include "wire/contract.hpp"

#include <map>
#include <utility>

#include "base/json_text.hpp"
#include "wire/contract_texts.hpp"

namespace godwit::wire {
namespace {

namespace json = base::json;

const std::map<std::string, json::object, std::less<>>& contracts() {
  static const std::map<std::string, json::object, std::less<>> all = [] {
    std::map<std::string, json::object, std::less<>> parsed;
    for (std::size_t i = 0; i < kContractTextCount; ++i) {
      json::object contract = base::parse_json(kContractTexts[i]).as_object();
      std::string name(contract.at("contract").as_string());
      parsed.emplace(std::move(name), std::move(contract));
    }
    return parsed;
  }();
  return all;
}

// The schema itself, or what its $ref leads to.
const json::object& resolved(const json::object& contract, const json::value& schema) {
  const json::value* reference = schema.as_object().if_contains("$ref");
  if (!reference) return schema.as_object();
  constexpr std::string_view kPrefix = "#/definitions/";
  const std::string_view text = reference->as_string();
  return resolved(contract, contract.at("definitions").at(text.substr(kPrefix.size())));
}

// Holds the parameters that a method declares against those that callers of the contract may give.
void compare_args(const Method& method, const json::object& wanted, const std::string& path,
                  const std::string& contract, std::vector<std::pair<std::string, std::string>>& problems) {
  const json::value* own = method.args.if_contains("properties");
  if (!own || !own->is_object()) return;
  const json::object empty;
  const json::value* given = wanted.if_contains("properties");
  const json::object& parameters = given && given->is_object() ? given->get_object() : empty;
  const json::value* closed = method.args.if_contains("additionalProperties");
  if (closed && closed->is_bool() && !closed->get_bool())
    for (const auto& parameter : parameters)
      if (!own->get_object().contains(parameter.key()))
        problems.emplace_back(path,
                              "does not take the parameter \"" + std::string(parameter.key()) + "\" of " + contract);
  const json::value* required = method.args.if_contains("required");
  const json::value* promised = wanted.if_contains("required");
  if (!required || !required->is_array()) return;
  for (const auto& name : required->get_array()) {
    bool always = false;
    if (promised && promised->is_array())
      for (const auto& other : promised->get_array()) always = always || other == name;
    if (!always)
      problems.emplace_back(path,
                            "requires " + base::serialize(name) + ", which callers of " + contract + " need not give");
  }
}

void compare_method(const json::object& contract, const std::string& name, std::string_view method_name,
                    const json::object& wanted, const Unit& unit,
                    std::vector<std::pair<std::string, std::string>>& problems) {
  const std::string path = "units." + unit.id + ".methods." + std::string(method_name);
  const auto own = unit.methods.find(std::string(method_name));
  if (own == unit.methods.end()) {
    const json::value* optional = wanted.if_contains("optional");
    if (!optional || !optional->as_bool()) problems.emplace_back(path, "is missing, and " + name + " has it");
    return;
  }
  if (wanted.at("retry_safe").as_bool() && !own->second.retry_safe)
    problems.emplace_back(path, name + " promises that it may be repeated: \"retry_safe\" must be true");
  if (const json::value* args = wanted.if_contains("args"))
    compare_args(own->second, resolved(contract, *args), path + ".args", name, problems);
}

}  // namespace

const json::object* find_contract(std::string_view name) {
  const auto found = contracts().find(name);
  return found == contracts().end() ? nullptr : &found->second;
}

std::vector<std::string> contract_names() {
  std::vector<std::string> names;
  for (const auto& [name, contract] : contracts()) names.push_back(name);
  return names;
}

std::vector<base::Error::Problem> contract_problems(const Unit& unit, const std::string& file) {
  std::vector<std::pair<std::string, std::string>> found;
  for (const auto& name : unit.implements) {
    const json::object* contract = find_contract(name);
    if (!contract) continue;
    for (const auto& method : contract->at("methods").as_object())
      compare_method(*contract, name, method.key(), method.value().as_object(), unit, found);
  }
  std::vector<base::Error::Problem> problems;
  for (auto& [path, what] : found)
    problems.push_back({std::move(what), {file, 0, 0, std::move(path)}, "see sdk/contracts"});
  return problems;
}

}  // namespace godwit::wire
