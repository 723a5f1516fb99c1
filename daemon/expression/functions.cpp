#include "expression/functions.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "expression/heap.hpp"
#include "expression/values.hpp"

namespace godwit::expression {
namespace {

constexpr std::array kBase{"assert", "error", "ipairs", "select", "tonumber"};

int string_repeat(lua_State* lua) {
  std::size_t size = 0;
  const char* text = luaL_checklstring(lua, 1, &size);
  const lua_Integer count = luaL_checkinteger(lua, 2);
  std::size_t gap_size = 0;
  const char* gap = luaL_optlstring(lua, 3, "", &gap_size);
  std::string result;
  if (count > 0 && size + gap_size > 0) {
    const std::size_t most = Heap::of(lua).text_max() / (size + gap_size);
    if (static_cast<std::uint64_t>(count) > most) return luaL_error(lua, "the repeated text would be too long");
    for (lua_Integer i = 0; i < count; ++i) {
      if (i > 0) result.append(gap, gap_size);
      result.append(text, size);
    }
  }
  lua_pushlstring(lua, result.data(), result.size());
  return 1;
}

// Lua's format, of which the conversion that prints addresses is refused and tables are shown as JSON. Upvalues:
// format, tostring.
int string_format(lua_State* lua) {
  std::size_t size = 0;
  const char* format = luaL_checklstring(lua, 1, &size);
  for (std::size_t i = 0; i + 1 < size; ++i) {
    if (format[i] != '%') continue;
    if (format[i + 1] == '%') {
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    while (end < size && std::string_view("-+ #0123456789.").find(format[end]) != std::string_view::npos) ++end;
    if (end < size && format[end] == 'p') return luaL_error(lua, "format has no '%%p'");
  }
  const int count = lua_gettop(lua);
  for (int i = 2; i <= count; ++i) {
    const int type = lua_type(lua, i);
    if (type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNUMBER || type == LUA_TSTRING) continue;
    lua_pushvalue(lua, lua_upvalueindex(2));
    lua_pushvalue(lua, i);
    lua_call(lua, 1, 1);
    lua_replace(lua, i);
  }
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 1);
  lua_call(lua, count, 1);
  return 1;
}

int library_write(lua_State* lua) {
  return luaL_error(lua, "the libraries cannot be changed");
}

}  // namespace

void wrap_library(lua_State* lua) {
  lua_newuserdatauv(lua, 0, 0);
  lua_newtable(lua);
  lua_pushvalue(lua, -3);
  lua_setfield(lua, -2, "__index");
  lua_pushcfunction(lua, library_write);
  lua_setfield(lua, -2, "__newindex");
  lua_pushliteral(lua, "library");
  lua_setfield(lua, -2, "__name");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_setmetatable(lua, -2);
  lua_remove(lua, -2);
}

namespace {

// Pushes the whole library as Lua has it.
void open_library(lua_State* lua, lua_CFunction open, const char* name) {
  lua_pushcfunction(lua, open);
  lua_pushstring(lua, name);
  lua_call(lua, 1, 1);
}

void add_format(lua_State* lua, int functions, int original) {
  lua_getfield(lua, original, "format");
  lua_getfield(lua, functions, "tostring");
  lua_pushcclosure(lua, string_format, 2);
  lua_setfield(lua, -2, "format");
}

// ("x"):upper() finds the functions of the library on top of the stack, and only them.
void set_text_methods(lua_State* lua) {
  lua_pushliteral(lua, "");
  lua_newtable(lua);
  lua_pushvalue(lua, -3);
  lua_setfield(lua, -2, "__index");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_setmetatable(lua, -2);
  lua_pop(lua, 1);
}

void add_library(lua_State* lua, const Library& library, int functions) {
  open_library(lua, library.open, library.name);
  const int original = lua_gettop(lua);
  lua_newtable(lua);
  for (const char* name : library.kept) {
    lua_getfield(lua, original, name);
    lua_setfield(lua, -2, name);
  }
  for (const Function& function : library.own) {
    lua_pushcfunction(lua, function.call);
    lua_setfield(lua, -2, function.name);
  }
  if (library.open == luaopen_string) add_format(lua, functions, original);
  wrap_library(lua);
  if (library.open == luaopen_string) set_text_methods(lua);
  lua_setfield(lua, functions, library.name);
  lua_pop(lua, 1);
}

void add_base(lua_State* lua, int functions) {
  // Lua's base library writes into the table of globals; that table is thrown away.
  open_library(lua, luaopen_base, "_G");
  for (const char* name : kBase) {
    lua_getfield(lua, -1, name);
    lua_setfield(lua, functions, name);
  }
  lua_pop(lua, 1);
  lua_newtable(lua);
  lua_rawseti(lua, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}

}  // namespace

const std::vector<Library>& expression_libraries() {
  static const std::vector<Library> kLibraries{
      {"math", luaopen_math, {"abs",  "acos", "asin", "atan", "ceil",       "cos",  "exp",        "floor",
                              "fmod", "huge", "log",  "max",  "maxinteger", "min",  "mininteger", "modf",
                              "pi",   "sin",  "sqrt", "tan",  "tointeger",  "type", "ult"}, {}},
      {"string", luaopen_string, {"byte", "char", "len", "lower", "reverse", "sub", "upper"}, {{"rep", string_repeat}}},
      {"table", luaopen_table, {"concat", "insert", "remove", "unpack"}, {{"sort", sort_in_place}}},
      {"utf8", luaopen_utf8, {"char", "codepoint", "len", "offset"}, {}},
  };
  return kLibraries;
}

void add_functions(lua_State* lua, const std::vector<Library>& libraries) {
  const int functions = lua_gettop(lua);
  add_base(lua, functions);
  for (const auto* list : {&list_functions(), &value_functions()}) {
    for (const Function& function : *list) {
      lua_pushcfunction(lua, function.call);
      lua_setfield(lua, functions, function.name);
    }
  }
  for (const Library& library : libraries) add_library(lua, library, functions);
  lua_pushlightuserdata(lua, nullptr);
  lua_setfield(lua, functions, "null");
}

const std::vector<std::string>& function_names() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names{"null"};
    names.insert(names.end(), kBase.begin(), kBase.end());
    for (const Library& library : expression_libraries()) names.emplace_back(library.name);
    for (const auto* list : {&list_functions(), &value_functions()})
      for (const Function& function : *list) names.emplace_back(function.name);
    std::sort(names.begin(), names.end());
    return names;
  }();
  return kNames;
}

bool is_function(std::string_view name) {
  return std::binary_search(function_names().begin(), function_names().end(), name);
}

}  // namespace godwit::expression
