#include "script/arguments.hpp"

#include <algorithm>

#include "base/time.hpp"
#include "base/utf8.hpp"

namespace godwit::script {
namespace {

constexpr std::size_t kTextMax = 200;

}  // namespace

std::string checked_text(lua_State* lua, int index, const char* function, const char* what) {
  std::size_t size = 0;
  const char* data = luaL_checklstring(lua, index, &size);
  const std::string_view text(data, size);
  const bool plain =
      std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (text.empty() || size > kTextMax || !plain || !base::is_utf8(text))
    luaL_error(lua, "gw.%s: %s must be a text of 1 to %d bytes, UTF-8 and without control characters", function, what,
               static_cast<int>(kTextMax));
  return std::string(text);
}

std::string checked_name(lua_State* lua, int index, const char* function) {
  if (lua_type(lua, index) != LUA_TSTRING)
    luaL_error(lua, "gw.%s: a name is needed, not a %s", function, luaL_typename(lua, index));
  std::size_t size = 0;
  const char* data = lua_tolstring(lua, index, &size);
  const std::string name(data, size);
  bool good = !name.empty() && name.size() <= 100;
  for (const char c : name)
    good = good && (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' || c == ':');
  if (!good)
    luaL_error(lua, "gw.%s: '%s' cannot be a name; use up to 100 letters, digits, _, -, . and :", function,
               name.substr(0, 100).c_str());
  return name;
}

std::string duration_at(lua_State* lua, int index, const char* function) {
  if (lua_type(lua, index) == LUA_TNUMBER) {
    const lua_Number seconds = lua_tonumber(lua, index);
    if (!(seconds >= 0 && seconds <= 1e9))
      luaL_error(lua, "gw.%s: a number of seconds from 0 to 1e9 is needed", function);
    return base::format_duration(base::Duration(static_cast<std::int64_t>(seconds * 1e6)));
  }
  const char* text = luaL_checkstring(lua, index);
  const auto duration = base::parse_duration(text);
  if (!duration) luaL_error(lua, "gw.%s: '%s' is no duration such as \"30s\", \"2h\" or \"3d\"", function, text);
  return base::format_duration(*duration);
}

}  // namespace godwit::script
