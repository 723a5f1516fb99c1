#pragma once
#include <memory>
#include <string_view>

#include "expression/compiled.hpp"
#include "expression/scope.hpp"

namespace godwit::expression {

// What one evaluation may use before it is stopped.
struct Budget {
  std::int64_t instructions = 1'000'000;
  std::size_t memory = 64u << 20;  // bytes of Lua's heap beyond what stood there before
  std::size_t text = 4u << 20;     // bytes of one string
  std::size_t output = 16u << 20;  // bytes of the result as JSON, about
  // Of the processor, for work that counts few instructions, such as comparing long strings.
  base::Duration time = std::chrono::seconds(2);
};

// An expression that Lua cannot read; `offset` is where in its source.
class SyntaxError : public base::Error {
 public:
  SyntaxError(std::string what, base::Place place, std::size_t offset)
      : Error(base::ErrorKind::refused, std::move(what), std::move(place)), offset_(offset) {}
  std::size_t offset() const { return offset_; }

 private:
  std::size_t offset_;
};

// The language of ${...}: Lua 5.4 without anything that reaches outside, waits, or remembers. Owns one Lua state; one
// thread at a time. Evaluation has no effect but its value: nothing an expression does is seen by the next one.
class Language {
 public:
  explicit Language(Budget budget = {});
  ~Language();
  Language(const Language&) = delete;
  Language& operator=(const Language&) = delete;

  // Throws SyntaxError.
  std::shared_ptr<const Compiled> compile(const model::Expression& expression);
  std::shared_ptr<const CompiledTemplate> compile(const model::Template& source);
  // Throws Error(refused) with the expression's place and text.
  json::value evaluate(const Compiled& compiled, const Scope& scope);
  json::value render(const CompiledTemplate& compiled, const Scope& scope);

 private:
  CompiledTemplate::Node compile_node(const json::value& value, const model::Template& source, const std::string& path,
                                      std::vector<Reference>& references);
  CompiledTemplate::Node compile_text(std::string_view text, const model::Template& source, const std::string& path,
                                      std::vector<Reference>& references);
  // `depth` is how deep in the whole the value will stand: together they must be JSON that can be read again.
  json::value evaluate_at(const Compiled& compiled, const Scope& scope, std::size_t depth);
  json::value render_node(const CompiledTemplate::Node& node, const Scope& scope, std::size_t depth);

  Budget budget_;
  std::shared_ptr<LuaState> lua_;
};

}  // namespace godwit::expression
