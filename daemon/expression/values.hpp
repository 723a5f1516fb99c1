#pragma once
#include <lua.hpp>
#include <string>

#include "expression/scope.hpp"

namespace godwit::expression {

// Makes the metatables the functions below use. Called once per state.
void add_value_types(lua_State* lua);

// Pushes a JSON value. Lists and objects are not copied: they become read-only views of the JSON, valid for this
// evaluation.
void push_json(lua_State* lua, const json::value& value);
void push_root(lua_State* lua, const Scope::Root& root);
// The JSON value of what stands at `index`, which has its place `depth` levels deep in a larger one. Throws
// std::runtime_error for what JSON cannot say, for more than `budget` bytes and for more than base::kJsonDepthMax
// levels; raises no Lua error, so it may be called outside of a protected call.
json::value to_json(lua_State* lua, int index, std::size_t budget, std::size_t depth = 1);
// A copy of `value`. Throws std::runtime_error when it has more than `budget` bytes or too many levels.
json::value bounded_copy(const json::value& value, std::size_t budget, std::size_t depth = 1);

// What a value is to a person: "nil", "null", "list", "object", "text", "number", ...
const char* kind_name(lua_State* lua, int index);
bool is_null(lua_State* lua, int index);
bool is_view(lua_State* lua, int index);
// Makes the table at `index` a list even when it is empty.
void mark_list(lua_State* lua, int index);
bool is_marked_list(lua_State* lua, int index);

// Pushes a value as text: a text as it is, a number as Lua writes it, everything else as JSON. Raises a Lua error for
// what JSON cannot say.
void push_text(lua_State* lua, int index);
void push_json_text(lua_State* lua, int index);

// The length of the list (view or table) that is argument `index`; raises a Lua error for anything else.
lua_Integer check_list(lua_State* lua, int index);
// Pushes a new table with the keys of a list or object in order: numbers, then texts, then booleans. Raises a Lua error
// for other keys.
void push_sorted_keys(lua_State* lua, int index);

}  // namespace godwit::expression
