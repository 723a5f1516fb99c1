#include "jobfile/schema_walk.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "base/json_text.hpp"
#include "base/suggest.hpp"
#include "jobfile/choice.hpp"
#include "jobfile/format.hpp"
#include "jobfile/keyword.hpp"
#include "jobfile/whole_number.hpp"

namespace godwit::jobfile {
namespace {

constexpr std::string_view kDefinitions = "#/definitions/";
constexpr std::array<std::string_view, 3> kSchemaLists{"allOf", "anyOf", "oneOf"};
// The keywords whose schema speaks of the same value, not of a part of it.
constexpr std::array<std::string_view, 4> kSameValue{"not", "if", "then", "else"};

// More defaults than this in one value are a schema that never ends.
constexpr int kDefaultsMax = 100'000;
// Steps down into a value and over references; a valid value has at most kJsonDepthMax levels, each with a few
// references on the way.
constexpr std::size_t kFillDepthMax = 8 * base::kJsonDepthMax;

// JSON Pointer writes "~1" for a slash and "~0" for a tilde.
std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '~' && i + 1 < text.size() && (text[i + 1] == '0' || text[i + 1] == '1')) {
      result += text[++i] == '0' ? '~' : '/';
    } else {
      result += text[i];
    }
  }
  return result;
}

// The two first items that are equal, by index.
std::optional<std::pair<std::size_t, std::size_t>> find_equal(const json::array& items) {
  std::unordered_map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto [first, is_new] = seen.emplace(base::canonical(items[i]), i);
    if (!is_new) return std::pair(first->second, i);
  }
  return std::nullopt;
}

bool wants_whole(const json::object& schema) {
  const auto* type = schema.if_contains("type");
  const auto* list = type ? type->if_array() : nullptr;
  if (!list) return type && *type == json::value("integer");
  return std::find(list->begin(), list->end(), json::value("integer")) != list->end();
}

}  // namespace

SchemaWalk::SchemaWalk(const json::object& document, const std::string& name) : document_(document), name_(name) {
  check(json::value(document), {}, false);
  check_circles();
}

void SchemaWalk::refuse(const std::string& path, std::string what) const {
  throw base::refused("the schema" + (name_.empty() ? "" : " of " + name_) + " is wrong: " + what, {{}, 0, 0, path});
}

void SchemaWalk::check(const json::value& schema, const std::string& path, bool conditional) {
  if (schema.is_bool()) return;
  if (!schema.is_object()) refuse(path, "a schema must be an object, true or false");
  const json::object& object = schema.get_object();
  check_here(object, path, conditional);
  for (const auto& member : object) {
    const Keyword* keyword = find_keyword(member.key());
    if (!keyword || keyword->holds == Keyword::Holds::data) continue;
    const std::string here = base::below(path, member.key());
    const bool inside = conditional || keyword->conditional;
    const json::value& value = member.value();
    if (keyword->holds == Keyword::Holds::map) {
      if (!value.is_object()) refuse(here, "an object is needed here");
      for (const auto& part : value.get_object())
        if (!part.value().is_array() || keyword->name != "dependencies")
          check(part.value(), base::below(here, part.key()), inside);
    } else if (keyword->holds == Keyword::Holds::list || value.is_array()) {
      if (!value.is_array() || (keyword->holds == Keyword::Holds::schema && keyword->name != "items"))
        refuse(here, keyword->holds == Keyword::Holds::list ? "a list is needed here" : "a list cannot stand here");
      for (std::size_t i = 0; i < value.get_array().size(); ++i)
        check(value.get_array()[i], base::below(here, i), inside);
    } else {
      check(value, here, inside);
    }
  }
}

void SchemaWalk::check_here(const json::object& schema, const std::string& path, bool conditional) {
  if (const auto* reference = schema.if_contains("$ref"); reference && !target(schema))
    refuse(path, "$ref leads nowhere: " + base::serialize(*reference));
  if (const auto* pattern = schema.if_contains("pattern")) {
    if (!pattern->is_string()) refuse(path, "a pattern must be text");
    const std::string text(pattern->get_string());
    try {
      patterns_.try_emplace(text, text, std::regex::ECMAScript | std::regex_constants::__polynomial);
    } catch (const std::regex_error& error) {
      refuse(path, "the pattern " + text + " is no regular expression that can be used (" + error.what() + ")");
    }
    conditional_patterns_ = conditional_patterns_ || conditional;
  }
  // valijson matches these with a recursive matcher that a long name overflows.
  if (schema.contains("patternProperties")) refuse(path, "patternProperties is not supported");
  if (conditional && schema.contains("uniqueItems")) refuse(path, "uniqueItems is not supported here");
}

const json::object* SchemaWalk::target(const json::object& schema) const {
  const auto* reference = schema.if_contains("$ref");
  const auto* text = reference ? reference->if_string() : nullptr;
  if (!text) return nullptr;
  if (*text == "#") return &document_;
  if (!std::string_view(*text).starts_with(kDefinitions)) return nullptr;
  const auto* definitions = document_.if_contains("definitions");
  const auto* found =
      definitions && definitions->is_object()
          ? definitions->get_object().if_contains(unescaped(std::string_view(*text).substr(kDefinitions.size())))
          : nullptr;
  return found ? found->if_object() : nullptr;
}

// A schema that leads back to itself for the same value can never be decided.
bool SchemaWalk::leads_back(const json::object& schema, std::vector<const json::object*>& trail) const {
  if (std::find(trail.begin(), trail.end(), &schema) != trail.end()) return true;
  trail.push_back(&schema);
  bool back = false;
  if (const auto* next = target(schema)) back = leads_back(*next, trail);
  for (const auto key : kSameValue) {
    const auto* part = schema.if_contains(key);
    if (part && part->is_object()) back = back || leads_back(part->get_object(), trail);
  }
  for (const auto key : kSchemaLists)
    if (const auto* list = schema.if_contains(key); list && list->is_array())
      for (const auto& part : list->get_array())
        back = back || (part.is_object() && leads_back(part.get_object(), trail));
  trail.pop_back();
  return back;
}

void SchemaWalk::check_circles() const {
  const auto* definitions = document_.if_contains("definitions");
  std::vector<const json::object*> trail;
  if (definitions && definitions->is_object())
    for (const auto& definition : definitions->get_object())
      if (definition.value().is_object() && leads_back(definition.value().get_object(), trail))
        refuse("definitions." + std::string(definition.key()), "it refers to itself");
  if (leads_back(document_, trail)) refuse({}, "it refers to itself");
}

void SchemaWalk::visit_part(const json::value* schema, const json::value& value, const std::string& path,
                            const Visit& each) const {
  if (schema && schema->is_object()) visit(schema->get_object(), value, path, each);
}

void SchemaWalk::visit(const json::object& schema, const json::value& value, const std::string& path,
                       const Visit& each) const {
  each(schema, value, path);
  if (const auto* next = target(schema)) return visit(*next, value, path, each);
  if (const auto* all = schema.if_contains("allOf"))
    for (const auto& part : all->as_array()) visit_part(&part, value, path, each);
  if (const auto* object = value.if_object()) {
    const auto* properties = schema.if_contains("properties");
    const auto* others = schema.if_contains("additionalProperties");
    for (const auto& member : *object) {
      const auto* own = properties ? properties->as_object().if_contains(member.key()) : nullptr;
      visit_part(own ? own : others, member.value(), base::below(path, member.key()), each);
    }
  } else if (const auto* array = value.if_array()) {
    const auto* items = schema.if_contains("items");
    const auto* list = items ? items->if_array() : nullptr;
    for (std::size_t i = 0; items && i < (list ? std::min(list->size(), array->size()) : array->size()); ++i)
      visit_part(list ? &(*list)[i] : items, (*array)[i], base::below(path, i), each);
  }
}

void SchemaWalk::fill_defaults(json::value& value) const {
  int left = kDefaultsMax;
  fill(document_, value, left, 0);
}

void SchemaWalk::fill(const json::object& schema, json::value& value, int& left, std::size_t depth) const {
  if (depth > kFillDepthMax) refuse({}, "its defaults call for ever more defaults");
  if (const auto* next = target(schema)) return fill(*next, value, left, depth + 1);
  if (const auto* all = schema.if_contains("allOf"))
    for (const auto& part : all->as_array())
      if (part.is_object()) fill(part.get_object(), value, left, depth + 1);
  if (is_fractionless(value) && wants_whole(schema)) make_whole(value);
  if (auto* object = value.if_object()) {
    const auto* properties = schema.if_contains("properties");
    if (!properties) return;
    for (const auto& property : properties->as_object()) {
      const auto* own = property.value().if_object();
      if (!own) continue;
      const auto* standard = own->if_contains("default");
      if (standard && !object->contains(property.key())) {
        if (--left < 0) refuse({}, "its defaults call for ever more defaults");
        object->emplace(property.key(), *standard);
      }
      if (auto* member = object->if_contains(property.key())) fill(*own, *member, left, depth + 1);
    }
  } else if (auto* array = value.if_array()) {
    const auto* items = schema.if_contains("items");
    if (items && items->is_object())
      for (auto& item : *array) fill(items->get_object(), item, left, depth + 1);
  }
}

bool SchemaWalk::has_long_text(const json::value& value) {
  if (const auto* text = value.if_string()) return text->size() > kPatternTextMax;
  if (const auto* array = value.if_array())
    return std::any_of(array->begin(), array->end(), [](const auto& item) { return has_long_text(item); });
  if (const auto* object = value.if_object())
    return std::any_of(object->begin(), object->end(),
                       [](const auto& member) { return has_long_text(member.value()); });
  return false;
}

void SchemaWalk::find_unknown_names(const json::object& schema, const json::value& value, const std::string& path,
                                    Problems& problems) {
  const auto* others = schema.if_contains("additionalProperties");
  const auto* object = value.if_object();
  if (!object || !others || *others != json::value(false)) return;
  const auto* properties = schema.if_contains("properties");
  for (const auto& member : *object) {
    if (properties && properties->as_object().contains(member.key())) continue;
    std::vector<std::string> known;
    if (properties)
      for (const auto& property : properties->as_object()) known.emplace_back(property.key());
    const std::string name(member.key());
    problems.push_back(
        {"unknown name '" + name + "'", {{}, 0, 0, base::below(path, name)}, base::suggest(name, known)});
    if (problems.size() >= kViolationsMax) return;
  }
}

void SchemaWalk::find_choices(const json::object& schema, const json::value& value, const std::string& path,
                              Problems& problems) {
  const auto* object = value.if_object();
  if (!object) return;
  for (const char* keyword : {"oneOf", "anyOf"})
    if (const auto choice = Choice::of(schema, keyword))
      if (auto complaint = choice->complaint(*object); !complaint.empty())
        problems.push_back({std::move(complaint), {{}, 0, 0, path}, {}});
}

SchemaWalk::Problems SchemaWalk::violations(const json::value& value) const {
  Problems problems;
  const std::string too_long =
      "has more than " + std::to_string(kPatternTextMax) + " bytes, too many to be held against a pattern";
  if (conditional_patterns_ && has_long_text(value)) problems.push_back({"a text " + too_long, {}, {}});
  visit(document_, value, {}, [&](const json::object& schema, const json::value& part, const std::string& path) {
    if (problems.size() >= kViolationsMax) return;
    find_unknown_names(schema, part, path, problems);
    find_choices(schema, part, path, problems);
    const auto* text = part.if_string();
    if (text && schema.contains("pattern") && text->size() > kPatternTextMax)
      problems.push_back({too_long, {{}, 0, 0, path}, {}});
    const auto* format = schema.if_contains("format");
    if (text && format && format->is_string() && !has_format(*text, format->get_string()))
      problems.push_back(
          {base::serialize(part) + " is not a valid " + std::string(format->get_string()), {{}, 0, 0, path}, {}});
    const auto* unique = schema.if_contains("uniqueItems");
    if (unique && *unique == json::value(true) && part.is_array())
      if (const auto equal = find_equal(part.get_array()))
        problems.push_back(
            {"items [" + std::to_string(equal->first) + "] and [" + std::to_string(equal->second) + "] are equal",
             {{}, 0, 0, path},
             {}});
  });
  return problems;
}

std::vector<const json::object*> SchemaWalk::at(const json::value& value, const std::string& path) const {
  std::vector<const json::object*> result;
  visit(document_, value, {}, [&](const json::object& schema, const json::value&, const std::string& here) {
    if (here == path) result.push_back(&schema);
  });
  return result;
}

}  // namespace godwit::jobfile
