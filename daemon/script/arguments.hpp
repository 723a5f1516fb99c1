#pragma once
#include <lua.hpp>
#include <string>

namespace godwit::script {

// The text that is argument `index`, which goes into records as it is: UTF-8 without control characters, up to 200 bytes.
std::string checked_text(lua_State* lua, int index, const char* function, const char* what);
// A name of a step, loop, signal or job at `index`; raises a Lua error for what would not be one part of a path.
std::string checked_name(lua_State* lua, int index, const char* function);
// A duration at `index`, "24h" or a number of seconds, in its shortest text.
std::string duration_at(lua_State* lua, int index, const char* function);

}  // namespace godwit::script
