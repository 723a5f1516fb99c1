#include "check/value_maker.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace godwit::check {
namespace {

namespace json = base::json;

constexpr int kDepthMax = 8;
constexpr std::array<std::string_view, 8> kWords{"a", "Tokyo", "x y",    "\xC3\xA9t\xC3\xA9", "\xF0\x9F\x90\xA6",
                                                 "0", "null",  "A\"\\\n"};

double number_of(const json::object& schema, const char* key, double otherwise) {
  const json::value* value = schema.if_contains(key);
  return value && value->is_number() ? value->to_number<double>() : otherwise;
}

std::size_t count_of(const json::object& schema, const char* key, std::size_t otherwise) {
  const json::value* value = schema.if_contains(key);
  return value && value->is_int64() && value->get_int64() >= 0 ? static_cast<std::size_t>(value->get_int64())
                                                               : otherwise;
}

const json::array* list_of(const json::object& schema, const char* key) {
  const json::value* value = schema.if_contains(key);
  return value && value->is_array() && !value->get_array().empty() ? &value->get_array() : nullptr;
}

std::string two_digits(std::size_t number) {
  return std::string(1, static_cast<char>('0' + number / 10)) + static_cast<char>('0' + number % 10);
}

}  // namespace

const json::object& ValueMaker::resolve(const json::object& schema) const {
  const json::value* reference = schema.if_contains("$ref");
  if (!reference || !reference->is_string()) return schema;
  constexpr std::string_view kDefinitions = "#/definitions/";
  const std::string_view text = reference->get_string();
  const json::value* definitions = root_.if_contains("definitions");
  if (!text.starts_with(kDefinitions) || !definitions || !definitions->is_object()) return schema;
  const json::value* found = definitions->get_object().if_contains(text.substr(kDefinitions.size()));
  return found && found->is_object() ? resolve(found->get_object()) : schema;
}

json::value ValueMaker::make(const json::object& given, int depth) {
  const json::object& schema = resolve(given);
  if (const auto* examples = list_of(schema, "examples"); examples && chance(70))
    return (*examples)[below(examples->size())];
  if (const json::value* only = schema.if_contains("const")) return *only;
  if (const auto* choices = list_of(schema, "enum")) return (*choices)[below(choices->size())];
  if (const json::value* standard = schema.if_contains("default"); standard && chance(30)) return *standard;
  for (const char* key : {"oneOf", "anyOf"})
    if (const auto* branches = list_of(schema, key)) return make_any_of(schema, *branches, depth);
  const json::value* type = schema.if_contains("type");
  std::string name;
  if (type && type->is_string()) name = std::string(type->get_string());
  if (type && type->is_array() && !type->get_array().empty()) {
    const auto& picked = type->get_array()[below(type->get_array().size())];
    if (picked.is_string()) name = std::string(picked.get_string());
  }
  if (name.empty() && schema.contains("properties")) name = "object";
  if (name.empty() && schema.contains("items")) name = "array";
  if (name == "object") return make_object(schema, depth);
  if (name == "array") return make_array(schema, depth);
  if (name == "integer" || name == "number") return make_number(schema, name == "integer");
  if (name == "string") return make_string(schema);
  if (name == "boolean") return chance(50);
  if (name == "null") return nullptr;
  return any(depth);
}

// The branch, with what stands beside it.
json::value ValueMaker::make_any_of(const json::object& schema, const json::array& branches, int depth) {
  const json::value& branch = branches[below(branches.size())];
  json::object merged = schema;
  merged.erase("oneOf");
  merged.erase("anyOf");
  if (branch.is_object())
    for (const auto& member : resolve(branch.get_object())) merged[member.key()] = member.value();
  const json::value value = make(merged, depth + 1);
  // With {"oneOf": [{"required": [...]}]} a property of another branch must not be there.
  if (!value.is_object() || !branch.is_object() || !branch.get_object().contains("required")) return value;
  json::object picked = value.get_object();
  for (const auto& other : branches) {
    const auto* names = other.is_object() && &other != &branch ? list_of(other.get_object(), "required") : nullptr;
    if (!names) continue;
    const json::array& own = branch.get_object().at("required").as_array();
    for (const auto& key : *names)
      if (key.is_string() && std::find(own.begin(), own.end(), key) == own.end()) picked.erase(key.get_string());
  }
  return picked;
}

json::value ValueMaker::make_object(const json::object& schema, int depth) {
  json::object object;
  const json::value* properties = schema.if_contains("properties");
  const auto* required = list_of(schema, "required");
  const auto is_required = [&](json::string_view key) {
    return required && std::any_of(required->begin(), required->end(), [&](const json::value& name) {
             return name.is_string() && name.get_string() == key;
           });
  };
  if (properties && properties->is_object())
    for (const auto& property : properties->get_object())
      if (is_required(property.key()) || (depth < kDepthMax && chance(50)))
        object[property.key()] =
            property.value().is_object() ? make(property.value().get_object(), depth + 1) : any(depth + 1);
  if (required)
    for (const auto& key : *required)
      if (key.is_string() && !object.contains(key.get_string())) object[key.get_string()] = any(depth + 1);
  const json::value* more = schema.if_contains("additionalProperties");
  if (more && more->is_object() && depth < kDepthMax)
    for (std::size_t i = below(3); i > 0; --i) object["key" + std::to_string(i)] = make(more->get_object(), depth + 1);
  return object;
}

json::value ValueMaker::make_array(const json::object& schema, int depth) {
  const std::size_t least = count_of(schema, "minItems", 0);
  const std::size_t most = std::max(least, std::min(count_of(schema, "maxItems", least + 4), least + 4));
  const std::size_t count = depth >= kDepthMax ? least : least + below(most - least + 1);
  const json::value* items = schema.if_contains("items");
  json::array array;
  for (std::size_t i = 0; i < count; ++i)
    array.push_back(items && items->is_object() ? make(items->get_object(), depth + 1) : any(depth + 1));
  return array;
}

json::value ValueMaker::make_number(const json::object& schema, bool whole) {
  double least =
      number_of(schema, "minimum",
                number_of(schema, "exclusiveMinimum", -1000) + (schema.contains("exclusiveMinimum") ? 1e-3 : 0));
  double most = number_of(schema, "maximum", number_of(schema, "exclusiveMaximum", std::max(least + 1000, 1000.0)));
  // Small numbers are what people write; the ends are where mistakes are.
  if (chance(70)) most = std::min(most, least + 10);
  const double pick = chance(20)   ? least
                      : chance(10) ? most
                                   : std::uniform_real_distribution<double>(least, most)(random_);
  if (!whole) return pick;
  return static_cast<std::int64_t>(std::clamp(std::floor(pick), std::ceil(least), std::floor(std::max(least, most))));
}

json::value ValueMaker::make_string(const json::object& schema) {
  if (const json::value* pattern = schema.if_contains("pattern"); pattern && pattern->is_string())
    return json::string(text_matching(std::string(pattern->get_string()), random_));
  const json::value* format = schema.if_contains("format");
  const std::string kind = format && format->is_string() ? std::string(format->get_string()) : std::string();
  const std::string date =
      "20" + two_digits(24 + below(6)) + "-" + two_digits(1 + below(12)) + "-" + two_digits(1 + below(28));
  if (kind == "date") return json::string(date);
  if (kind == "date-time")
    return json::string(date + "T" + two_digits(below(24)) + ":" + two_digits(below(60)) + ":00Z");
  if (kind == "email") return "someone@example.com";
  if (kind == "uri") return "https://example.com/x";
  std::string text = word();
  const std::size_t least = count_of(schema, "minLength", 0), most = count_of(schema, "maxLength", 1000);
  while (text.size() < least) text += "x";
  if (text.size() > most) text = std::string(most, 'x');
  return json::string(text);
}

std::string ValueMaker::word() {
  std::string text(kWords[below(kWords.size())]);
  if (chance(10)) text += std::string(below(500), 'w');
  return text;
}

json::value ValueMaker::any(int depth) {
  switch (below(depth >= 3 ? 5 : 7)) {
    case 0:
      return nullptr;
    case 1:
      return chance(50);
    case 2:
      return static_cast<std::int64_t>(random_());
    case 3:
      return std::uniform_real_distribution<double>(-1e6, 1e6)(random_);
    case 4:
      return json::string(word());
    case 5: {
      json::array array;
      for (std::size_t i = below(4); i > 0; --i) array.push_back(any(depth + 1));
      return array;
    }
    default: {
      json::object object;
      for (std::size_t i = below(4); i > 0; --i) object[word()] = any(depth + 1);
      return object;
    }
  }
}

json::value ValueMaker::spoil(json::value value) {
  if (value.is_object() && !value.get_object().empty() && chance(85)) {
    auto& object = value.get_object();
    auto member = object.begin() + static_cast<std::ptrdiff_t>(below(object.size()));
    if (chance(25)) {
      object.erase(member);
    } else {
      member->value() = spoil(std::move(member->value()));
    }
    return value;
  }
  if (value.is_array() && !value.get_array().empty() && chance(85)) {
    auto& item = value.get_array()[below(value.get_array().size())];
    item = spoil(std::move(item));
    return value;
  }
  if (value.is_string() && chance(30)) return json::string(std::string(100'000, 'z'));
  if (value.is_number() && chance(50))
    return chance(50) ? json::value(std::numeric_limits<std::int64_t>::max())
                      : json::value(std::numeric_limits<std::int64_t>::min());
  return any();
}

}  // namespace godwit::check
