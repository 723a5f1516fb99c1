#include "expression/language.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/json_text.hpp"
#include "expression/lua_state.hpp"
#include "expression/references.hpp"
#include "expression/text_parts.hpp"
#include "expression/token.hpp"
#include "expression/values.hpp"

namespace godwit::expression {
using Node = CompiledTemplate::Node;

namespace {

const json::value kNull;

// The value a path leads to; null (the pointer) where only Lua can tell: roots nobody set, members of what has none,
// methods of texts.
const json::value* follow(const std::vector<PathStep>& path, const Scope& scope) {
  const Scope::Root* root = scope.find(path[0].key);
  if (!root) return nullptr;
  const json::value* at = root->whole;
  std::size_t next = 1;
  if (!at) {
    if (path.size() == 1) return nullptr;
    at = root->find_member(path[next++].key);
    if (!at) return next == path.size() ? &kNull : nullptr;
  }
  for (; next < path.size(); ++next) {
    const PathStep& step = path[next];
    const auto* array = at->if_array();
    const auto* object = at->if_object();
    if (!array && !object) return nullptr;
    const json::value* found = nullptr;
    if (object && step.index == 0) found = object->if_contains(step.key);
    if (array && step.index > 0 && static_cast<std::size_t>(step.index) <= array->size())
      found = &(*array)[static_cast<std::size_t>(step.index) - 1];
    if (!found) return next + 1 == path.size() ? &kNull : nullptr;
    at = found;
  }
  return at;
}

std::string text_of(const json::value& value) {
  if (const auto* text = value.if_string()) return std::string(*text);
  return base::serialize(value);
}

// Makes one constant of a list or object whose parts are all constant.
void fold(CompiledTemplate::Node& node) {
  const auto is_constant = [](const Node& part) { return part.kind == Node::Kind::constant; };
  if (node.kind == Node::Kind::list && std::all_of(node.items.begin(), node.items.end(), is_constant)) {
    json::array list;
    for (Node& item : node.items) list.push_back(std::move(item.constant));
    node = Node{std::move(list)};
  } else if (node.kind == Node::Kind::object &&
             std::all_of(node.members.begin(), node.members.end(),
                         [&](const auto& member) { return is_constant(member.second); })) {
    json::object object;
    for (auto& [key, member] : node.members) object.emplace(key, std::move(member.constant));
    node = Node{std::move(object)};
  }
}

// The place of the n-th expression of the string at `path`, or what is known of it.
base::Place place_of(const model::Template& source, const std::string& path, std::size_t n) {
  const auto known = source.expressions.find(path);
  if (known != source.expressions.end() && n < known->second.size()) return known->second[n];
  base::Place place = source.place;
  if (!path.empty()) place.path = base::below(place.path, path);
  return place;
}

}  // namespace

Compiled::~Compiled() {
  if (lua_) lua_->release(function_);
}

Language::Language(Budget budget) : budget_(budget), lua_(std::make_shared<LuaState>(budget)) {}
Language::~Language() = default;

std::shared_ptr<const Compiled> Language::compile(const model::Expression& expression) {
  const std::shared_ptr<Compiled> result(new Compiled);
  result->source_ = expression;
  // Also for a path: it may lead to where only Lua knows what to say.
  result->function_ = lua_->compile(expression);
  result->lua_ = lua_;
  const auto all = tokens(expression.source);
  result->references_ = find_references(all);
  result->path_ = find_path(all);
  return result;
}

json::value Language::evaluate(const Compiled& compiled, const Scope& scope) {
  return evaluate_at(compiled, scope, 1);
}

json::value Language::evaluate_at(const Compiled& compiled, const Scope& scope, std::size_t depth) {
  if (!compiled.path_.empty()) {
    if (const json::value* found = follow(compiled.path_, scope)) try {
        return bounded_copy(*found, budget_.output, depth);
      } catch (const std::runtime_error& error) {
        throw base::refused("the expression ${" + compiled.source_.source + "} failed: " + error.what(),
                            compiled.source_.place);
      }
  }
  return lua_->call(compiled.function_, scope, compiled.source_, depth);
}

std::shared_ptr<const CompiledTemplate> Language::compile(const model::Template& source) {
  auto result = std::make_shared<CompiledTemplate>();
  auto& references = result->references_;
  result->root_ = compile_node(source.value, source, {}, references);
  std::sort(references.begin(), references.end());
  references.erase(std::unique(references.begin(), references.end()), references.end());
  result->constant_ = result->root_.kind == CompiledTemplate::Node::Kind::constant;
  if (result->constant_) result->constant_text_ = base::serialize(result->root_.constant);
  return result;
}

CompiledTemplate::Node Language::compile_node(const json::value& value, const model::Template& source,
                                              const std::string& path, std::vector<Reference>& references) {
  Node node;
  if (const auto* text = value.if_string()) return compile_text(*text, source, path, references);
  if (const auto* array = value.if_array()) {
    node.kind = Node::Kind::list;
    for (std::size_t i = 0; i < array->size(); ++i)
      node.items.push_back(compile_node((*array)[i], source, base::below(path, i), references));
  } else if (const auto* object = value.if_object()) {
    node.kind = Node::Kind::object;
    for (const auto& member : *object)
      node.members.emplace_back(member.key(),
                                compile_node(member.value(), source, base::below(path, member.key()), references));
  } else {
    node.constant = value;
  }
  fold(node);
  return node;
}

CompiledTemplate::Node Language::compile_text(std::string_view text, const model::Template& source,
                                              const std::string& path, std::vector<Reference>& references) {
  Node node;
  std::vector<CompiledTemplate::Piece> pieces;
  std::size_t number = 0;
  for (TextPart& part : split_text(text)) {
    if (part.kind == TextPart::Kind::literal) {
      pieces.push_back({std::move(part.text), nullptr});
      continue;
    }
    base::Place place = place_of(source, path, number++);
    if (part.kind == TextPart::Kind::unclosed) throw SyntaxError("a ${ has no } that closes it", std::move(place), 0);
    pieces.push_back({{}, compile(model::Expression{std::move(part.text), std::move(place)})});
    const auto& more = pieces.back().expression->references();
    references.insert(references.end(), more.begin(), more.end());
  }
  if (number == 0) {
    node.constant = json::string(pieces.empty() ? "" : pieces[0].literal);
  } else if (pieces.size() == 1) {
    node.kind = Node::Kind::expression;
    node.expression = std::move(pieces[0].expression);
  } else {
    node.kind = Node::Kind::text;
    node.pieces = std::move(pieces);
  }
  return node;
}

json::value Language::render(const CompiledTemplate& compiled, const Scope& scope) {
  return render_node(compiled.root_, scope, 1);
}

json::value Language::render_node(const Node& node, const Scope& scope, std::size_t depth) {
  switch (node.kind) {
    case Node::Kind::constant:
      return node.constant;
    case Node::Kind::expression:
      return evaluate_at(*node.expression, scope, depth);
    case Node::Kind::text: {
      std::string text;
      for (const auto& piece : node.pieces)
        text += piece.expression ? text_of(evaluate(*piece.expression, scope)) : piece.literal;
      return json::string(text);
    }
    case Node::Kind::list: {
      json::array list;
      list.reserve(node.items.size());
      for (const auto& item : node.items) list.push_back(render_node(item, scope, depth + 1));
      return list;
    }
    case Node::Kind::object: {
      json::object object;
      object.reserve(node.members.size());
      for (const auto& [key, member] : node.members) object.emplace(key, render_node(member, scope, depth + 1));
      return object;
    }
  }
  return nullptr;
}

}  // namespace godwit::expression
