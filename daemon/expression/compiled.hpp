#pragma once
#include <compare>
#include <memory>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "model/job.hpp"

namespace godwit::expression {

namespace json = base::json;
class LuaState;

// A name an expression reads: {"params", "travelers"}; {"params", ""} is the whole, {"stages", "*"} a member chosen
// while it runs.
struct Reference {
  std::string root;
  std::string member;
  auto operator<=>(const Reference&) const = default;
};

// One step of an expression that is only a path: a member's name, or an index counted from 1.
struct PathStep {
  std::string key;
  std::int64_t index = 0;  // 0: a member
};

// One expression, ready to be evaluated by the Language that made it. Keeps that language's Lua alive.
class Compiled {
 public:
  const model::Expression& source() const { return source_; }
  const std::vector<Reference>& references() const { return references_; }  // sorted, each once

  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled();

 private:
  friend class Language;
  Compiled() = default;

  model::Expression source_;
  std::vector<Reference> references_;
  std::vector<PathStep> path_;  // root first; empty when the expression is more than a path
  std::shared_ptr<LuaState> lua_;
  int function_ = 0;  // reference into Lua's registry
};

// A value of a job file with its expressions compiled.
class CompiledTemplate {
 public:
  // A string in pieces, of which each is a literal or an expression.
  struct Piece {
    std::string literal;
    std::shared_ptr<const Compiled> expression;
  };
  // A tree that mirrors the JSON value, with subtrees that hold no expression kept whole.
  struct Node {
    enum class Kind { constant, expression, text, list, object };
    json::value constant;
    Kind kind = Kind::constant;
    std::shared_ptr<const Compiled> expression;
    std::vector<Piece> pieces;
    std::vector<Node> items;
    std::vector<std::pair<std::string, Node>> members;
  };

  const std::vector<Reference>& references() const { return references_; }
  bool is_constant() const { return constant_; }
  // The value as JSON text, serialised once. Only of a constant template.
  const std::string& constant_text() const { return constant_text_; }

 private:
  friend class Language;

  std::vector<Reference> references_;
  bool constant_ = true;
  std::string constant_text_;
  Node root_;
};

}  // namespace godwit::expression
