#pragma once
#include <cstddef>
#include <cstdint>
#include <lua.hpp>

namespace godwit::expression {

// What the functions of the language ask of the Lua state they run in, so that expressions and scripts can have the
// same functions. Every thread of a state finds its heap in the state's extra space.
class Heap {
 public:
  static Heap& of(lua_State* lua) { return **static_cast<Heap**>(lua_getextraspace(lua)); }

  // Takes `work` (in instructions' worth) from the budget of what is running; raises a Lua error when it is used up.
  virtual void charge(lua_State* lua, std::int64_t work) = 0;
  // Bytes that one text may have.
  virtual std::size_t text_max() const = 0;
  // Views of JSON are good for the evaluation they were made in and no other.
  virtual std::uint64_t evaluation() const = 0;

 protected:
  explicit Heap(lua_State* lua) { attach(lua); }
  Heap() = default;
  ~Heap() = default;
  void attach(lua_State* lua) { *static_cast<Heap**>(lua_getextraspace(lua)) = this; }
};

}  // namespace godwit::expression
