#include "script/step_calls.hpp"

#include <string_view>

#include "script/arguments.hpp"
#include "script/execution.hpp"
#include "script/values.hpp"

namespace godwit::script {

int give_output(lua_State* lua, int, lua_KContext) {
  Execution& execution = Execution::of(lua);
  const Outcome outcome = execution.take_outcome();
  if (outcome.state == model::StepState::failed)
    return execution.raise_failure(lua,
                                   outcome.failure.value_or(model::Failure{"failed", "the step failed", false, {}}));
  if (outcome.output.empty()) {
    lua_pushnil(lua);
  } else {
    push_json_text(lua, outcome.output);
  }
  return 1;
}

std::string take_name(lua_State* lua, int index, const char* function) {
  std::string name;
  if (lua_getfield(lua, index, "name") != LUA_TNIL) {
    if (lua_type(lua, -1) != LUA_TSTRING) luaL_error(lua, "gw.%s: a name must be a text", function);
    name = checked_name(lua, -1, function);
  }
  lua_pop(lua, 1);
  return name;
}

std::string options_text(lua_State* lua, int index, const char* function) {
  lua_newtable(lua);
  for (lua_pushnil(lua); lua_next(lua, index);) {
    if (std::string_view(lua_tostring(lua, -2)) == "name") {
      lua_pop(lua, 1);
      continue;
    }
    lua_pushvalue(lua, -2);
    lua_insert(lua, -2);
    lua_rawset(lua, -4);
  }
  std::string text = json_text(lua, -1, (std::string("the options of gw.") + function).c_str(), 1u << 20);
  lua_pop(lua, 1);
  return text == "[]" ? "{}" : text;
}

}  // namespace godwit::script
