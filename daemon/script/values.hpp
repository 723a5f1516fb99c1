#pragma once
#include <lua.hpp>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace godwit::script {

namespace json = base::json;

// Values as scripts have them: JSON's lists and objects are tables that a script may change, null is gw.null, and a
// list stays one when it is empty.

// Pushes a value; raises a Lua error for text that is not JSON or when memory is used up.
void push_json(lua_State* lua, const json::value& value);
void push_json_text(lua_State* lua, std::string_view text);

// The value at `index` as JSON text, members sorted, so that equal values have equal text. Raises a Lua error that says
// what in `what` JSON cannot hold, or that it is larger than `max` bytes.
std::string json_text(lua_State* lua, int index, const char* what, std::size_t max);

}  // namespace godwit::script
