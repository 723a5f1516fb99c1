#pragma once
#include <lua.hpp>
#include <string>

namespace godwit::script {

// Makes the world of names that scripts live in (their _ENV): the functions of ${...}, more of Lua's own that are
// harmless, gw, and require. Nothing of it can be written to. Called once per state.
void add_world(lua_State* lua);

// Pushes the chunk as a function that lives in the world, or an error message and returns false. `name` is what
// messages call it. Text only, no bytecode.
bool load_chunk(lua_State* lua, const std::string& text, const std::string& name);

}  // namespace godwit::script
