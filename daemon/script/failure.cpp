#include "script/failure.hpp"

#include <algorithm>
#include <cctype>

#include "script/execution.hpp"

namespace godwit::script {
namespace {

constexpr const char* kFailureMark = "godwit.failure";

std::string field(lua_State* lua, int index, const char* name) {
  std::string result;
  lua_pushstring(lua, name);
  if (lua_rawget(lua, index) == LUA_TSTRING) result = lua_tostring(lua, -1);
  lua_pop(lua, 1);
  return result;
}

int failure_text(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  const std::string step = field(lua, 1, "step");
  const std::string text =
      (step.empty() ? "" : "step " + step + " failed: ") + field(lua, 1, "code") + ": " + field(lua, 1, "message");
  lua_pushlstring(lua, text.data(), text.size());
  return 1;
}

}  // namespace

void add_failure_type(lua_State* lua) {
  luaL_newmetatable(lua, kFailureMark);
  lua_pushcfunction(lua, failure_text);
  lua_setfield(lua, -2, "__tostring");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_pop(lua, 1);
}

void push_failure(lua_State* lua, const std::string& step, const model::Failure& failure) {
  lua_createtable(lua, 0, 3);
  lua_pushlstring(lua, failure.code.data(), failure.code.size());
  lua_setfield(lua, -2, "code");
  lua_pushlstring(lua, failure.message.data(), failure.message.size());
  lua_setfield(lua, -2, "message");
  if (!step.empty()) {
    lua_pushlstring(lua, step.data(), step.size());
    lua_setfield(lua, -2, "step");
  }
  luaL_setmetatable(lua, kFailureMark);
}

model::Failure failure_at(lua_State* lua, int index, std::string& step) {
  index = lua_absindex(lua, index);
  if (lua_type(lua, index) == LUA_TTABLE) {
    model::Failure failure{field(lua, index, "code"), field(lua, index, "message"), false, {}};
    step = field(lua, index, "step");
    if (!failure.message.empty()) {
      if (failure.code.empty()) failure.code = "script";
      return failure;
    }
  }
  lua_pushvalue(lua, index);
  model::Failure failure{"script", error_text(lua), false, {}};
  lua_pop(lua, 1);
  return failure;
}

void split_place(std::string& message, base::Place& place) {
  const std::size_t colon = message.find(':');
  if (colon == std::string::npos || colon == 0) return;
  std::size_t end = colon + 1;
  while (end < message.size() && std::isdigit(static_cast<unsigned char>(message[end]))) ++end;
  if (end == colon + 1 || message.compare(end, 2, ": ") != 0) return;
  place.file = message.substr(0, colon);
  place.line = std::atoi(message.c_str() + colon + 1);
  message.erase(0, end + 2);
}

}  // namespace godwit::script
