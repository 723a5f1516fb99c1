#include "jobfile/format_reader.hpp"

#include <cmath>

namespace godwit::jobfile {
namespace {

// Stages may hold stages; an editor needs no more of that.
constexpr int kDepthMax = 6;
const char* const kDuration = "^([0-9]+(\\.[0-9]+)?(us|ms|s|m|h|d|w))+$";
const char* const kExpression = "^\\s*\\$\\{[\\s\\S]*\\}\\s*$";

const config::YamlDocument& empty_document() {
  static const config::YamlDocument document("{}", "");
  return document;
}

json::object any_of(std::vector<json::object> alternatives) {
  std::vector<json::object> different;
  for (auto& one : alternatives)
    if (std::find(different.begin(), different.end(), one) == different.end()) different.push_back(std::move(one));
  if (different.empty()) return {};
  if (different.size() == 1) return std::move(different.front());
  json::array list;
  for (auto& one : different) list.push_back(std::move(one));
  return {{"anyOf", std::move(list)}};
}

}  // namespace

FormatReader::FormatReader() : Reader(empty_document(), "{}") {}

json::object FormatReader::schema(const std::function<void(Reader&, const YamlNode&)>& read) {
  YamlNode map;
  map.kind = YamlNode::Kind::map;
  read(*this, map);
  return found(map).value_or(json::object());
}

void FormatReader::note(const YamlNode& node, json::object schema, bool exact) {
  Note& note = notes_[&node];
  if (note.exact) return;
  note = {std::move(schema), exact};
}

void FormatReader::note_scalar(const YamlNode& node, json::object schema) {
  if (node.kind == YamlNode::Kind::scalar) note(node, std::move(schema));
}

std::string FormatReader::text(const YamlNode& node, const std::string&) {
  note_scalar(node, {{"type", "string"}});
  return node.kind == YamlNode::Kind::scalar ? node.text : std::string();
}

bool FormatReader::flag(const YamlNode& node, const std::string&) {
  note_scalar(node, {{"type", "boolean"}});
  return false;
}

int FormatReader::count(const YamlNode& node, const std::string&, int least, int most) {
  note_scalar(node, {{"type", "integer"}, {"minimum", least}, {"maximum", most}});
  return least;
}

double FormatReader::number(const YamlNode& node, const std::string&, double least, double most) {
  note_scalar(node, {{"type", "number"}, {"minimum", least}, {"maximum", most}});
  return least;
}

std::optional<base::Duration> FormatReader::duration(const YamlNode& node, const std::string&) {
  note_scalar(node, {{"type", "string"}, {"pattern", kDuration}});
  return std::nullopt;
}

std::size_t FormatReader::choice(const YamlNode& node, const std::string&, std::span<const std::string_view> values) {
  json::array list;
  for (const auto& value : values) list.push_back(json::string(value));
  note_scalar(node, {{"enum", std::move(list)}});
  return 0;
}

std::map<std::string, model::LimitSpec> FormatReader::limits(const YamlNode& node, const std::string&) {
  if (node.kind == YamlNode::Kind::map)
    note(node, {{"type", "object"},
                {"additionalProperties", json::object{{"type", json::array{"integer", "string"}}, {"minimum", 1}}}});
  return {};
}

std::map<std::string, int> FormatReader::permits(const YamlNode& node, const std::string&) {
  if (node.kind == YamlNode::Kind::map)
    note(node, {{"type", "object"}, {"additionalProperties", json::object{{"type", "integer"}, {"minimum", 1}}}});
  return {};
}

std::optional<model::Expression> FormatReader::amount(const YamlNode& node, const std::string&, const Sight&, int&) {
  note_scalar(node, any_of({json::object{{"type", "integer"}, {"minimum", 1}},
                            json::object{{"type", "string"}, {"pattern", kExpression}}}));
  return std::nullopt;
}

json::value FormatReader::any(const YamlNode& node, const std::string&) {
  switch (node.kind) {
    case YamlNode::Kind::scalar:
      note(node, {{"type", json::array{"string", "number", "boolean", "null"}}}, false);
      break;
    case YamlNode::Kind::list:
      note(node, {{"type", "array"}}, false);
      break;
    case YamlNode::Kind::map:
      note(node, {{"type", "object"}}, false);
      break;
  }
  return nullptr;
}

std::optional<model::Expression> FormatReader::expression(const YamlNode& node, const std::string&, const Sight&) {
  note_scalar(node, {{"type", "string"}, {"pattern", kExpression}});
  return std::nullopt;
}

model::Template FormatReader::value(const YamlNode& node, const std::string& path, const Sight&) {
  return {any(node, path), {}, {}};
}

std::optional<json::object> FormatReader::found(const YamlNode& node) {
  if (const auto keys = keys_.find(&node); keys != keys_.end()) {
    json::object schema{{"type", "object"}, {"properties", keys->second}, {"additionalProperties", false}};
    if (const auto works = works_.find(&node); works != works_.end()) schema["oneOf"] = works->second;
    return schema;
  }
  if (const auto noted = notes_.find(&node); noted != notes_.end()) return noted->second.schema;
  std::vector<json::object> inner;
  for (const auto& item : node.items)
    if (auto schema = found(item)) inner.push_back(std::move(*schema));
  for (const auto& member : node.members)
    if (auto schema = found(member.value)) inner.push_back(std::move(*schema));
  if (inner.empty()) return std::nullopt;
  if (node.kind == YamlNode::Kind::list) return json::object{{"type", "array"}, {"items", any_of(std::move(inner))}};
  return json::object{{"type", "object"}, {"additionalProperties", any_of(std::move(inner))}};
}

// A text, a list and a map of each, one after the other.
json::object FormatReader::tried(const Read& read) {
  if (depth_ >= kDepthMax) return {};
  ++depth_;
  YamlNode text{.kind = YamlNode::Kind::scalar, .text = "x"};
  YamlNode map{.kind = YamlNode::Kind::map};
  YamlNode list{.kind = YamlNode::Kind::list, .items = {text, map}};
  map.members = {{"a", 0, 0, text}, {"b", 0, 0, YamlNode{.kind = YamlNode::Kind::map}}};
  std::vector<json::object> alternatives;
  for (const YamlNode* node : {&text, &list, &map}) {
    notes_.clear();
    keys_.clear();
    works_.clear();
    read(*node);
    if (auto schema = found(*node)) alternatives.push_back(std::move(*schema));
  }
  --depth_;
  const bool anything = std::count_if(alternatives.begin(), alternatives.end(),
                                      [](const auto& one) { return one.size() == 1 && one.contains("type"); }) == 3;
  return anything ? json::object() : any_of(std::move(alternatives));
}

void FormatReader::describe_key(const YamlNode& map, std::string_view key, const Read& read) {
  // The nodes of this trial are on the stack, where those of others will be.
  auto notes = std::exchange(notes_, {});
  auto keys = std::exchange(keys_, {});
  auto works = std::exchange(works_, {});
  auto schema = tried(read);
  notes_ = std::move(notes);
  keys_ = std::move(keys);
  works_ = std::move(works);
  keys_[&map][key] = std::move(schema);
}

void FormatReader::describe_work(const YamlNode& map, std::span<const WorkKey> keys) {
  const auto needs = [](std::string_view key) { return json::object{{"required", json::array{json::string(key)}}}; };
  for (const auto& work : keys) {
    json::object one = needs(work.key);
    json::array excluded;
    for (const auto key : work.excludes) excluded.push_back(needs(key));
    if (!excluded.empty()) one["not"] = json::object{{"anyOf", std::move(excluded)}};
    works_[&map].push_back(std::move(one));
  }
}

}  // namespace godwit::jobfile
