#include "control/arguments.hpp"

#include <algorithm>

#include "base/json_text.hpp"
#include "base/suggest.hpp"

namespace godwit::control {
namespace {

namespace json = base::json;

bool is_count(const json::value& value) {
  return value.is_int64() && value.get_int64() >= 0;
}

bool fits(const json::value& value, ParameterType type) {
  switch (type) {
    case ParameterType::text:
      return value.is_string();
    case ParameterType::count:
      return is_count(value);
    case ParameterType::whole:
      return value.is_int64();
    case ParameterType::boolean:
      return value.is_bool();
    case ParameterType::object:
      return value.is_object();
    case ParameterType::objects: {
      const auto* list = value.if_array();
      return list && std::all_of(list->begin(), list->end(), [](const json::value& item) { return item.is_object(); });
    }
    case ParameterType::texts: {
      const auto* list = value.if_array();
      return list && std::all_of(list->begin(), list->end(), [](const json::value& item) { return item.is_string(); });
    }
    case ParameterType::run:
      return is_count(value) && value.get_int64() > 0;
    case ParameterType::any:
      return true;
  }
  return false;
}

std::string unknown_hint(std::string_view name, const std::vector<Parameter>& table) {
  std::vector<std::string> known;
  for (const auto& parameter : table) known.emplace_back(parameter.name);
  if (auto hint = base::suggest(name, known); !hint.empty()) return hint;
  if (known.empty()) return "this method takes none";
  std::string hint = "known: ";
  for (const auto& word : known) hint += (&word == &known.front() ? "" : ", ") + word;
  return hint;
}

}  // namespace

std::string_view describe(ParameterType type) {
  switch (type) {
    case ParameterType::text:
      return "text";
    case ParameterType::count:
      return "a whole number, 0 or more";
    case ParameterType::whole:
      return "a whole number";
    case ParameterType::boolean:
      return "true or false";
    case ParameterType::object:
      return "an object";
    case ParameterType::objects:
      return "a list of objects";
    case ParameterType::texts:
      return "a list of texts";
    case ParameterType::run:
      return "the number of a run";
    case ParameterType::any:
      return "any value";
  }
  return "";
}

Arguments Arguments::check(json::object given, const std::vector<Parameter>& table) {
  std::vector<base::Error::Problem> problems;
  Arguments arguments;
  for (auto& member : given) {
    const std::string_view name = member.key();
    const auto entry =
        std::find_if(table.begin(), table.end(), [&](const Parameter& known) { return known.name == name; });
    if (entry == table.end()) {
      problems.push_back({"unknown parameter '" + std::string(name) + "'", {}, unknown_hint(name, table)});
    } else if (!member.value().is_null() && !fits(member.value(), entry->type)) {
      problems.push_back(
          {"parameter '" + std::string(name) + "' must be " + std::string(describe(entry->type)), {}, {}});
    } else if (!member.value().is_null()) {
      arguments.given_.emplace(name, std::move(member.value()));
    }
  }
  for (const auto& parameter : table) {
    const auto* left = given.if_contains(parameter.name);  // a value of the wrong type stays here and was reported
    if (parameter.required && !arguments.has(parameter.name) && (!left || left->is_null())) {
      problems.push_back({"parameter '" + std::string(parameter.name) + "' is missing",
                          {},
                          "it is " + std::string(parameter.summary)});
    }
  }
  if (!problems.empty()) throw base::Error(base::ErrorKind::refused, std::move(problems));
  return arguments;
}

std::string Arguments::text(std::string_view name, std::string otherwise) const {
  const auto* value = given_.if_contains(name);
  return value ? std::string(value->get_string()) : std::move(otherwise);
}

std::int64_t Arguments::count(std::string_view name, std::int64_t otherwise) const {
  const auto* value = given_.if_contains(name);
  return value ? value->get_int64() : otherwise;
}

bool Arguments::boolean(std::string_view name, bool otherwise) const {
  const auto* value = given_.if_contains(name);
  return value ? value->get_bool() : otherwise;
}

std::vector<std::string> Arguments::texts(std::string_view name) const {
  const auto* value = given_.if_contains(name);
  return value ? json::value_to<std::vector<std::string>>(*value) : std::vector<std::string>();
}

std::string Arguments::any(std::string_view name) const {
  const auto* value = given_.if_contains(name);
  return value ? base::serialize(*value) : "null";
}

json::object Arguments::take_object(std::string_view name) {
  auto* value = given_.if_contains(name);
  return value ? std::move(value->get_object()) : json::object();
}

json::array Arguments::take_objects(std::string_view name) {
  auto* value = given_.if_contains(name);
  return value ? std::move(value->get_array()) : json::array();
}

model::RunId Arguments::run(std::string_view name) const {
  return model::RunId{given_.at(name).get_int64()};
}

std::optional<model::RunId> Arguments::find_run(std::string_view name) const {
  return has(name) ? std::optional(run(name)) : std::nullopt;
}

}  // namespace godwit::control
