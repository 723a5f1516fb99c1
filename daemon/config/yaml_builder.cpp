#include "config/yaml_builder.hpp"

#include <yaml-cpp/mark.h>

#include <unordered_map>

namespace godwit::config {
namespace {

YamlNode node_at(const YAML::Mark& mark, YamlNode::Kind kind) {
  YamlNode node;
  node.kind = kind;
  node.line = mark.line + 1;
  node.column = mark.column + 1;
  return node;
}

}  // namespace

void YamlBuilder::refuse(const YamlNode& node, std::string what, std::string hint) const {
  throw base::refused(std::move(what), {file_, node.line, node.column, {}}, std::move(hint));
}

void YamlBuilder::OnDocumentStart(const YAML::Mark& mark) {
  if (started_)
    refuse(node_at(mark, YamlNode::Kind::scalar),
           "the document has ended before this (a second document, or a wrong indentation?)");
  started_ = true;
}

void YamlBuilder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) {
  YamlNode node = node_at(mark, YamlNode::Kind::scalar);
  node.text = "null";
  add(std::move(node), anchor);
}

void YamlBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  const auto known = anchors_.find(anchor);
  const YamlNode here = node_at(mark, YamlNode::Kind::scalar);
  if (known == anchors_.end()) refuse(here, "an alias stands inside of what it names");
  count(here, weigh(known->second));
  add(known->second, 0);
}

void YamlBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                           const std::string& value) {
  YamlNode node = node_at(mark, YamlNode::Kind::scalar);
  node.text = value;
  node.plain = tag == "?";
  if (!node.plain) {
    last_quoted_ = node;
    last_quoted_at_ = static_cast<std::size_t>(mark.pos);
  }
  if (tag != "?" && tag != "!") check_tag(node, tag);
  // PostgreSQL's text and JSON cannot hold it, so it would fail much later.
  if (value.find('\0') != std::string::npos) refuse(node, "the character U+0000 cannot be part of a text");
  add(std::move(node), anchor);
}

void YamlBuilder::OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                                  YAML::EmitterStyle::value) {
  begin(node_at(mark, YamlNode::Kind::list), tag, anchor);
}

void YamlBuilder::OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                             YAML::EmitterStyle::value) {
  begin(node_at(mark, YamlNode::Kind::map), tag, anchor);
}

void YamlBuilder::check_last_quote(std::string_view text) const {
  // An anchor may stand before the quote; a block scalar has none.
  const std::size_t begin = text.find_first_of("\"'|>", last_quoted_at_);
  if (begin == std::string_view::npos || text[begin] == '|' || text[begin] == '>') return;
  for (std::size_t at = begin + 1; at < text.size(); ++at) {
    if (text[begin] == '"' && text[at] == '\\') {
      ++at;
    } else if (text[at] == text[begin]) {
      // Two apostrophes stand for one.
      if (text[begin] == '"' || at + 1 == text.size() || text[at + 1] != '\'') return;
      ++at;
    }
  }
  refuse(last_quoted_, "not YAML: the quote that opens here is never closed");
}

void YamlBuilder::check_tag(const YamlNode& node, const std::string& tag) const {
  if (!tag.empty() && tag != "?" && tag != "!")
    refuse(node, "the tag " + tag + " is not supported", "quote what shall be text");
}

void YamlBuilder::begin(YamlNode node, const std::string& tag, YAML::anchor_t anchor) {
  check_tag(node, tag);
  if (open_.size() >= base::kJsonDepthMax)
    refuse(node, "nested deeper than " + std::to_string(base::kJsonDepthMax) + " levels");
  if (!open_.empty() && open_.back().node.kind == YamlNode::Kind::map && !open_.back().has_key)
    refuse(node, "a key must be text, not a list or a map");
  open_.push_back({std::move(node), anchor, false});
}

void YamlBuilder::end() {
  Open done = std::move(open_.back());
  open_.pop_back();
  if (done.node.kind == YamlNode::Kind::map) check_keys(done.node);
  add(std::move(done.node), done.anchor);
}

void YamlBuilder::check_keys(const YamlNode& map) const {
  std::unordered_map<std::string_view, const YamlNode::Member*> seen;
  for (const auto& member : map.members) {
    const auto [first, is_new] = seen.emplace(member.key, &member);
    if (is_new) continue;
    throw base::refused(
        "the key '" + member.key + "' stands here a second time, first in line " + std::to_string(first->second->line),
        {file_, member.line, member.column, {}});
  }
}

void YamlBuilder::add_key(Open& map, YamlNode node) {
  if (node.kind != YamlNode::Kind::scalar) refuse(node, "a key must be text, not a list or a map");
  if (node.is_null()) refuse(node, "a key is missing");
  if (node.plain && node.text == "<<")
    refuse(node, "merge keys (<<) are not supported", "write the members out, or name the whole value by an alias");
  map.node.members.push_back({std::move(node.text), node.line, node.column, {}});
  map.has_key = true;
}

void YamlBuilder::add(YamlNode node, YAML::anchor_t anchor) {
  count(node, {1, node.text.size()});
  if (anchor != 0) {
    count(node, weigh(node));
    anchors_.emplace(anchor, node);
  }
  if (open_.empty()) {
    root_ = std::move(node);
  } else if (Open& parent = open_.back(); parent.node.kind == YamlNode::Kind::list) {
    parent.node.items.push_back(std::move(node));
  } else if (!parent.has_key) {
    add_key(parent, std::move(node));
  } else {
    parent.node.members.back().value = std::move(node);
    parent.has_key = false;
  }
}

void YamlBuilder::count(const YamlNode& node, Weight weight) {
  total_.nodes += weight.nodes;
  total_.bytes += weight.bytes;
  if (total_.nodes > YamlDocument::kNodesMax)
    refuse(node, "the document has more than " + std::to_string(YamlDocument::kNodesMax) +
                     " values (aliases count as often as they stand)");
  if (total_.bytes > YamlDocument::kExpandedBytesMax)
    refuse(node, "the document has more than " + std::to_string(YamlDocument::kExpandedBytesMax) +
                     " bytes once its aliases are written out");
}

YamlBuilder::Weight YamlBuilder::weigh(const YamlNode& node) {
  Weight weight{1, node.text.size()};
  const auto include = [&](const YamlNode& part) {
    const Weight more = weigh(part);
    weight.nodes += more.nodes;
    weight.bytes += more.bytes;
  };
  for (const auto& item : node.items) include(item);
  for (const auto& member : node.members) {
    weight.bytes += member.key.size();
    include(member.value);
  }
  return weight;
}

}  // namespace godwit::config
