#include <cmath>
#include <cstring>
#include <stdexcept>

#include "base/date.hpp"
#include "base/json_text.hpp"
#include "expression/functions.hpp"
#include "expression/language.hpp"
#include "expression/heap.hpp"
#include "expression/values.hpp"

namespace godwit::expression {
namespace {

constexpr std::int64_t kBytesPerInstruction = 64;

std::string_view text_at(lua_State* lua, int index) {
  std::size_t size = 0;
  const char* data = luaL_checklstring(lua, index, &size);
  return {data, size};
}

void push(lua_State* lua, std::string_view text) {
  Heap::of(lua).charge(lua, static_cast<std::int64_t>(text.size()) / kBytesPerInstruction);
  lua_pushlstring(lua, text.data(), text.size());
}

int type(lua_State* lua) {
  luaL_checkany(lua, 1);
  const bool table = is_view(lua, 1) || lua_type(lua, 1) == LUA_TTABLE;
  lua_pushstring(lua, table ? "table" : kind_name(lua, 1));
  return 1;
}

int to_text(lua_State* lua) {
  luaL_checkany(lua, 1);
  if (lua_isnil(lua, 1)) {
    lua_pushliteral(lua, "nil");
  } else {
    push_text(lua, 1);
  }
  return 1;
}

int json_text(lua_State* lua) {
  luaL_checkany(lua, 1);
  push_json_text(lua, 1);
  return 1;
}

int pairs_next(lua_State* lua) {
  const lua_Integer at = lua_tointeger(lua, lua_upvalueindex(3)) + 1;
  lua_pushinteger(lua, at);
  lua_replace(lua, lua_upvalueindex(3));
  if (lua_rawgeti(lua, lua_upvalueindex(2), at) == LUA_TNIL) return 1;
  lua_pushvalue(lua, -1);
  lua_gettable(lua, lua_upvalueindex(1));
  return 2;
}

// pairs(t): in the order of the keys, so that every evaluation goes the same way.
int pairs(lua_State* lua) {
  luaL_checkany(lua, 1);
  lua_settop(lua, 1);
  push_sorted_keys(lua, 1);
  lua_pushinteger(lua, 0);
  lua_pushcclosure(lua, pairs_next, 3);
  return 1;
}

// len(x): the items of a list, the members of an object, the bytes of a text.
int length(lua_State* lua) {
  if (lua_type(lua, 1) == LUA_TSTRING) {
    lua_pushinteger(lua, static_cast<lua_Integer>(lua_rawlen(lua, 1)));
    return 1;
  }
  luaL_checkany(lua, 1);
  const bool list =
      std::strcmp(kind_name(lua, 1), "list") == 0 || (lua_type(lua, 1) == LUA_TTABLE && lua_rawlen(lua, 1) > 0);
  if (list) {
    lua_pushinteger(lua, check_list(lua, 1));
  } else {
    push_sorted_keys(lua, 1);
    lua_pushinteger(lua, static_cast<lua_Integer>(lua_rawlen(lua, -1)));
  }
  return 1;
}

// contains(list, x), contains(text, part), contains(object, key)
int contains(lua_State* lua) {
  luaL_checkany(lua, 2);
  if (lua_type(lua, 1) == LUA_TSTRING) {
    const auto text = text_at(lua, 1);
    const auto part = text_at(lua, 2);
    Heap::of(lua).charge(lua, static_cast<std::int64_t>(text.size() + part.size()) / kBytesPerInstruction);
    // memmem() is linear; string_view::find is quadratic at worst.
    lua_pushboolean(lua, part.empty() || ::memmem(text.data(), text.size(), part.data(), part.size()) != nullptr);
    return 1;
  }
  if (std::strcmp(kind_name(lua, 1), "object") == 0) {
    lua_pushvalue(lua, 2);
    lua_pushboolean(lua, lua_gettable(lua, 1) != LUA_TNIL);
    return 1;
  }
  const lua_Integer count = check_list(lua, 1);
  Heap::of(lua).charge(lua, count);
  bool found = false;
  for (lua_Integer i = 1; i <= count && !found; ++i) {
    lua_geti(lua, 1, i);
    found = lua_rawequal(lua, -1, 2) != 0;
    lua_pop(lua, 1);
  }
  lua_pushboolean(lua, found);
  return 1;
}

// Replaces the value on top by its member or item `step`; a value without members gives nil.
void descend(lua_State* lua, std::string_view step, bool index) {
  if (!is_view(lua, -1) && lua_type(lua, -1) != LUA_TTABLE) {
    lua_pushnil(lua);
  } else if (index) {
    lua_pushlstring(lua, step.data(), step.size());
    if (lua_stringtonumber(lua, lua_tostring(lua, -1)) == 0)
      luaL_error(lua, "get: '[%s]' is no index", lua_tostring(lua, -1));
    lua_remove(lua, -2);
    lua_gettable(lua, -2);
  } else {
    lua_pushlstring(lua, step.data(), step.size());
    lua_gettable(lua, -2);
  }
  lua_replace(lua, -2);
}

// get(x, "filters.max_stops", default): what stands at the path, or the default when it is missing or null on the way.
int get(lua_State* lua) {
  luaL_checkany(lua, 2);
  const bool number = lua_type(lua, 2) == LUA_TNUMBER;
  std::string path(text_at(lua, 2));
  if (number) path = "[" + path + "]";
  lua_settop(lua, 3);
  lua_pushvalue(lua, 1);
  std::size_t at = 0;
  while (at < path.size()) {
    Heap::of(lua).charge(lua, 1);
    const bool index = path[at] == '[';
    if (index || path[at] == '.') ++at;
    const std::size_t end = index ? path.find(']', at) : path.find_first_of(".[", at);
    descend(lua, std::string_view(path).substr(at, end == std::string::npos ? end : end - at), index);
    at = end == std::string::npos ? path.size() : end + (index ? 1 : 0);
  }
  if (lua_isnil(lua, -1) || is_null(lua, -1)) lua_pushvalue(lua, 3);
  return 1;
}

int upper(lua_State* lua) {
  std::string text(text_at(lua, 1));
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  push(lua, text);
  return 1;
}

int lower(lua_State* lua) {
  std::string text(text_at(lua, 1));
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  push(lua, text);
  return 1;
}

// round(x[, digits]): half away from zero; without digits, or with 0, an integer when it fits.
int round(lua_State* lua) {
  if (lua_isinteger(lua, 1)) {
    lua_settop(lua, 1);
    return 1;
  }
  const lua_Number value = luaL_checknumber(lua, 1);
  const lua_Integer digits = luaL_optinteger(lua, 2, 0);
  luaL_argcheck(lua, digits >= 0 && digits <= 15, 2, "0 to 15 digits can be kept");
  const lua_Number scale = std::pow(10.0, static_cast<double>(digits));
  const lua_Number rounded = std::round(value * scale) / scale;
  lua_Integer integer = 0;
  if (digits == 0 && lua_numbertointeger(rounded, &integer)) {
    lua_pushinteger(lua, integer);
  } else {
    lua_pushnumber(lua, std::isfinite(rounded) ? rounded : value);
  }
  return 1;
}

// join(list, separator): the texts of the items, one after the other.
int join(lua_State* lua) {
  const lua_Integer count = check_list(lua, 1);
  const std::string separator(luaL_optstring(lua, 2, ""));
  std::string result;
  for (lua_Integer i = 1; i <= count; ++i) {
    Heap::of(lua).charge(lua, 1);
    if (i > 1) result += separator;
    lua_geti(lua, 1, i);
    push_text(lua, -1);
    result += text_at(lua, -1);
    lua_pop(lua, 2);
    if (result.size() > Heap::of(lua).text_max()) return luaL_error(lua, "the joined text would be too long");
  }
  push(lua, result);
  return 1;
}

std::chrono::sys_days date_at(lua_State* lua, int index) {
  const auto date = base::parse_date(text_at(lua, index));
  if (!date)
    luaL_argerror(
        lua, index,
        lua_pushfstring(lua, "a date such as \"2026-05-01\" is needed, not \"%s\"", lua_tostring(lua, index)));
  return *date;
}

// dates(from, to[, step_days]): "2026-05-01", "2026-05-02", ... up to `to`, `to` included.
int dates(lua_State* lua) {
  const auto from = date_at(lua, 1);
  const auto to = date_at(lua, 2);
  const lua_Integer step = luaL_optinteger(lua, 3, 1);
  luaL_argcheck(lua, step >= 1 && step <= 36600, 3, "1 to 36600 days");
  lua_newtable(lua);
  mark_list(lua, -1);
  lua_Integer n = 0;
  for (auto day = from; day <= to; day += std::chrono::days(step)) {
    Heap::of(lua).charge(lua, 1);
    push(lua, base::format_date(day));
    lua_rawseti(lua, -2, ++n);
  }
  return 1;
}

}  // namespace

void push_json_text(lua_State* lua, int index) {
  std::string text;
  try {
    text = base::serialize(to_json(lua, index, Heap::of(lua).text_max()));
  } catch (const std::runtime_error& error) {
    luaL_error(lua, "%s", error.what());
  }
  push(lua, text);
}

void push_text(lua_State* lua, int index) {
  index = lua_absindex(lua, index);
  switch (lua_type(lua, index)) {
    case LUA_TSTRING:
      lua_pushvalue(lua, index);
      return;
    case LUA_TNUMBER:
      lua_pushvalue(lua, index);
      lua_tostring(lua, -1);
      return;
    case LUA_TFUNCTION:
      lua_pushliteral(lua, "function");
      return;
    case LUA_TUSERDATA:
      if (!is_view(lua, index)) {
        lua_pushliteral(lua, "library");
        return;
      }
      [[fallthrough]];
    default:
      push_json_text(lua, index);
  }
}

const std::vector<Function>& value_functions() {
  static const std::vector<Function> kFunctions{{"contains", contains}, {"dates", dates},    {"get", get},
                                                {"join", join},         {"json", json_text}, {"len", length},
                                                {"lower", lower},       {"pairs", pairs},    {"round", round},
                                                {"tostring", to_text},  {"type", type},      {"upper", upper}};
  return kFunctions;
}

}  // namespace godwit::expression
