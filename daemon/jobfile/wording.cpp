#include "jobfile/wording.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/json_text.hpp"
#include "jobfile/choice.hpp"
#include "jobfile/whole_number.hpp"

namespace godwit::jobfile {
namespace {

// A keyword that holds a number, how the validator's sentence about it begins, and how ours does.
struct Bound {
  std::string_view start;
  std::string_view keyword;
  std::string_view words;
  std::string_view counted;  // what there is so much of; empty when it is the value itself
};
constexpr std::array<Bound, 11> kBounds{{
    {"Expected number less than or equal to ", "maximum", "must be at most ", ""},
    {"Expected number less than ", "exclusiveMaximum", "must be less than ", ""},
    {"Expected number greater than or equal to ", "minimum", "must be at least ", ""},
    {"Expected number greater than ", "exclusiveMinimum", "must be more than ", ""},
    {"Value should be a multiple of ", "multipleOf", "must be a multiple of ", ""},
    {"Array should contain no more than ", "maxItems", "must have at most ", "item"},
    {"Array should contain no fewer than ", "minItems", "must have at least ", "item"},
    {"String should be no more than ", "maxLength", "must have at most ", "character"},
    {"String should be no fewer than ", "minLength", "must have at least ", "character"},
    {"Object should have no more than ", "maxProperties", "must have at most ", "member"},
    {"Object should have no fewer than ", "minProperties", "must have at least ", "member"},
}};

// Sentences that are told without looking at the schema: inside of anyOf and the like nobody knows which one was meant.
constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kSentences{{
    {"Value type not permitted", "is of a type that the schema does not allow here"},
    {"Failed to match against any enum", "is none of the values that the schema allows here"},
    {"Failed to match expected value", "is not the value that the schema wants here"},
    {"Failed to match regex", "does not match the pattern that the schema has here"},
    {"Failed to validate against exactly one", "fits more than one of the forms of which the schema allows one"},
    {"Failed to any values", "has no item of the kind that the schema wants in it"},
    {"Array contains more items", "has more items than the schema allows"},
    {"Object contains a property", "has a name that the schema does not allow"},
    {"Failed to validate against dependent schema", "does not fit what one of its names calls for"},
    {"Failed to validate against a conditional", "does not fit the schema's if, then and else"},
    {"Value could not be converted", "is a number that cannot be checked"},
    {"Target should not validate", "is of the kind that the schema excludes by `not`"},
    {"Failed to validate against any", "fits none of the forms that the schema allows"},
}};

constexpr std::array<std::string_view, 5> kSummaries{
    "Failed to validate item", "Failed to validate against schema associated",
    "Failed to validate against child schema", "Failed to validate against additional properties",
    "Cannot validate item"};

// The validator writes all numbers with six digits behind the point.
std::string plain(const std::string& digits) {
  json::value number(std::strtod(digits.c_str(), nullptr));
  if (is_fractionless(number)) make_whole(number);
  return base::serialize(number);
}

std::string type_name(const json::value& type) {
  const std::string_view text = type.is_string() ? std::string_view(type.get_string()) : std::string_view();
  if (text == "string") return "text";
  if (text == "integer") return "a whole number";
  if (text == "number") return "a number";
  if (text == "boolean") return "true or false";
  if (text == "array") return "a list";
  if (text == "object") return "an object";
  return std::string(text);
}

bool has_type(const json::value& value, const json::value& type) {
  if (const auto* list = type.if_array())
    return std::any_of(list->begin(), list->end(), [&](const auto& one) { return has_type(value, one); });
  const std::string_view name = type.is_string() ? std::string_view(type.get_string()) : std::string_view();
  if (name == "integer") return value.is_int64() || value.is_uint64() || is_fractionless(value);
  return (name == "string" && value.is_string()) || (name == "number" && value.is_number()) ||
         (name == "boolean" && value.is_bool()) || (name == "array" && value.is_array()) ||
         (name == "object" && value.is_object()) || (name == "null" && value.is_null());
}

// The types of all branches of an anyOf or oneOf; null when one has none.
json::value types_of(const json::value& branches) {
  json::array types;
  if (!branches.is_array()) return nullptr;
  for (const auto& branch : branches.get_array()) {
    const auto* schema = branch.if_object();
    const auto* type = schema ? schema->if_contains("type") : nullptr;
    if (!type) return nullptr;
    const auto add = [&](const json::value& one) {
      if (std::find(types.begin(), types.end(), one) == types.end()) types.push_back(one);
    };
    if (const auto* list = type->if_array())
      std::for_each(list->begin(), list->end(), add);
    else
      add(*type);
  }
  return types;
}

bool is_required(const std::vector<const json::object*>& schemas, const std::string& name) {
  return std::any_of(schemas.begin(), schemas.end(), [&](const auto* schema) {
    const auto* names = schema->if_contains("required");
    const auto* list = names ? names->if_array() : nullptr;
    return list && std::find(list->begin(), list->end(), json::value(name)) != list->end();
  });
}

}  // namespace

std::string kind_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return value.get_bool() ? "true" : "false";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      return "the number " + base::serialize(value);
    case json::kind::string:
      return "text";
    case json::kind::array:
      return "a list";
    case json::kind::object:
      return "an object";
  }
  return "a value";
}

std::string type_text(const json::value& type) {
  const auto* list = type.if_array();
  if (!list) return type_name(type);
  std::string text;
  for (const auto& name : *list) text += (text.empty() ? "" : " or ") + type_name(name);
  return text;
}

std::string quoting_hint(const json::value& type, const json::value& value) {
  const bool wants_text = type_text(type) == "text";
  if (!wants_text || !(value.is_number() || value.is_bool())) return {};
  return std::string(kQuotingHint) + quoted_text(value);
}

std::string quoted_text(const json::value& value) {
  return "\"" + base::serialize(value) + "\"";
}

const json::value* Wording::keyword(std::string_view name) const {
  for (const auto* schema : schemas)
    if (const auto* found = schema->if_contains(name)) return found;
  return nullptr;
}

// The text between the first and the last apostrophe.
std::string Wording::quoted() const {
  const std::size_t begin = description.find('\'');
  const std::size_t end = description.rfind('\'');
  return begin == std::string::npos || end <= begin ? std::string() : description.substr(begin + 1, end - begin - 1);
}

bool Wording::is_summary() const {
  // Of branches that each want another type the whole tells which.
  if (description.starts_with("Value type") && !keyword("type")) return true;
  return std::any_of(kSummaries.begin(), kSummaries.end(),
                     [this](std::string_view start) { return description.starts_with(start); });
}

bool Wording::is_of_choice() const {
  const bool one =
      description.find("oneOf") != std::string::npos || description.find("exactly one") != std::string::npos;
  const bool any = description.find("anyOf") != std::string::npos;
  const bool missing = description.starts_with("Missing required property") && !is_required(schemas, quoted());
  for (const auto* schema : schemas) {
    if (one && Choice::of(*schema, "oneOf")) return true;
    if (any && Choice::of(*schema, "anyOf")) return true;
    for (const char* name : {"oneOf", "anyOf"})
      if (const auto choice = Choice::of(*schema, name); missing && choice && choice->names(quoted())) return true;
  }
  return false;
}

std::string Wording::bound_problem() const {
  for (const auto& bound : kBounds) {
    if (!description.starts_with(bound.start)) continue;
    const auto speaking = std::count_if(schemas.begin(), schemas.end(),
                                        [&](const auto* schema) { return schema->contains(bound.keyword); });
    // Where several schemas have such a bound, the validator knows which one it is.
    const std::string number =
        speaking == 1 ? base::serialize(*keyword(bound.keyword)) : plain(description.substr(bound.start.size()));
    std::string text = std::string(bound.words) + number;
    if (!bound.counted.empty()) text += " " + std::string(bound.counted) + (number == "1" ? "" : "s");
    if (bound.counted.empty() && value && value->is_number()) text += ", not " + base::serialize(*value);
    return text;
  }
  return {};
}

// Of anyOf and oneOf, when all branches want another type than the value has.
std::string Wording::branch_problem() const {
  if (!description.starts_with("Failed to validate against any") || !value) return {};
  const bool one = description.find("oneOf") != std::string::npos;
  const auto* branches = keyword(one ? "oneOf" : "anyOf");
  const json::value types = branches ? types_of(*branches) : json::value();
  if (types.is_null() || has_type(*value, types)) return {};
  return "must be " + type_text(types) + ", not " + kind_of(*value);
}

std::string Wording::type_problem() const {
  if (value && description.starts_with("Value type") && keyword("type"))
    return "must be " + type_text(*keyword("type")) + ", not " + kind_of(*value);
  if (description.starts_with("Failed to match against any enum") && keyword("enum"))
    return "must be one of " + base::serialize(*keyword("enum"));
  if (description.starts_with("Failed to match expected value") && keyword("const"))
    return "must be " + base::serialize(*keyword("const"));
  if (value && description.starts_with("Failed to match regex") && keyword("pattern"))
    return base::serialize(*value).substr(0, 100) + " does not match the pattern " +
           std::string(keyword("pattern")->as_string());
  const auto* excluded = description.starts_with("Target should not validate") ? keyword("not") : nullptr;
  std::string together;
  for (const auto& name : (excluded ? required_only(*excluded) : std::nullopt).value_or(std::vector<std::string>()))
    together += (together.empty() ? "" : " and ") + name;
  return together.find(" and ") == std::string::npos ? std::string() : together + " do not go together";
}

base::Error::Problem Wording::problem() const {
  const bool missing = description.starts_with("Missing required property");
  if (missing || description.starts_with("Missing dependency"))
    return {missing ? "is missing" : "is missing, and another name calls for it",
            {{}, 0, 0, base::below(path, quoted())},
            {}};
  for (const auto& words : {type_problem(), bound_problem(), branch_problem()}) {
    if (words.empty()) continue;
    const bool of_type = description.starts_with("Value type") && value && keyword("type");
    return {words, {{}, 0, 0, path}, of_type ? quoting_hint(*keyword("type"), *value) : std::string()};
  }
  for (const auto& [start, words] : kSentences)
    if (description.starts_with(start)) return {std::string(words), {{}, 0, 0, path}, {}};
  return {is_summary() ? "does not fit the schema" : description, {{}, 0, 0, path}, {}};
}

}  // namespace godwit::jobfile
