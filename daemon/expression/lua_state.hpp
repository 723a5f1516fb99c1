#pragma once
#include <cstdint>
#include <lua.hpp>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "expression/heap.hpp"
#include "expression/language.hpp"

namespace godwit::expression {

// The Lua heap behind a Language: a counting allocator, an instruction budget, and a world of names that cannot be
// written to. Everything that lives from one evaluation to the next is userdata without writable members, so no
// expression can leave a trace.
class LuaState final : public Heap {
 public:
  explicit LuaState(const Budget& budget);
  ~LuaState();
  LuaState(const LuaState&) = delete;
  LuaState& operator=(const LuaState&) = delete;

  // Compiles `source` to a function that gives its value; returns a reference into the registry. Throws SyntaxError.
  int compile(const model::Expression& source);
  void release(int function);
  // Throws Error(refused).
  json::value call(int function, const Scope& scope, const model::Expression& source, std::size_t depth);

  static LuaState& of(lua_State* lua) { return static_cast<LuaState&>(Heap::of(lua)); }
  void charge(lua_State* lua, std::int64_t work) override;
  std::size_t text_max() const override { return budget_.text; }
  const Scope* scope() const { return scope_; }
  std::uint64_t evaluation() const override { return evaluation_; }

 private:
  static void* allocate(void* self, void* old, std::size_t old_size, std::size_t new_size);
  void start(const Scope* scope);
  void finish();
  bool is_out_of_time();
  [[noreturn]] void fail(const model::Expression& source, int status);
  std::string stopped_because(int status) const;

  Budget budget_;
  lua_State* lua_ = nullptr;
  std::size_t used_ = 0;
  std::size_t used_max_ = 0;
  std::size_t used_at_start_ = 0;
  std::int64_t instructions_left_ = 0;
  std::int64_t unclocked_ = 0;  // work since the clock was looked at
  base::Tick look_at_{};        // before then the time cannot be over
  std::optional<std::chrono::nanoseconds> cpu_end_;
  std::uint64_t evaluation_ = 0;
  const Scope* scope_ = nullptr;
  std::string stop_;            // the budget that was used up
  bool text_too_long_ = false;  // the last failed allocation was of a string
};

}  // namespace godwit::expression
