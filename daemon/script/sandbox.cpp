#include "script/sandbox.hpp"

#include <array>

#include "base/suggest.hpp"
#include "expression/functions.hpp"
#include "expression/values.hpp"
#include "script/api.hpp"
#include "script/execution.hpp"
#include "script/failure.hpp"
#include "script/values.hpp"

namespace godwit::script {
namespace {

constexpr const char* kWorld = "godwit.world";
constexpr const char* kModules = "godwit.modules";
constexpr const char* kNames = "godwit.names";
constexpr lua_Integer kMoveMax = 10'000'000;

// --- what replaces functions of Lua's base library

// The stop of a script passes through every protected call.
int finish_protected(lua_State* lua, int status, lua_KContext first) {
  if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(lua) - static_cast<int>(first);
  State::of(lua).pass_on_stop(lua, status);
  Execution::of(lua).caught();
  lua_pushboolean(lua, 0);
  lua_pushvalue(lua, -2);
  return 2;
}

int protected_call(lua_State* lua) {
  luaL_checkany(lua, 1);
  lua_pushboolean(lua, 1);
  lua_insert(lua, 1);
  const int status = lua_pcallk(lua, lua_gettop(lua) - 2, LUA_MULTRET, 0, 0, finish_protected);
  return finish_protected(lua, status, 0);
}

// Lua calls no hook in the handler of an error that came out of a hook: after a stop no code of the script may run.
int guarded_handler(lua_State* lua) {
  if (State::of(lua).stopped()) return 1;
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 1);
  lua_call(lua, lua_gettop(lua) - 1, 1);
  return 1;
}

int protected_call_with_handler(lua_State* lua) {
  const int count = lua_gettop(lua);
  luaL_checktype(lua, 2, LUA_TFUNCTION);
  lua_pushvalue(lua, 2);
  lua_pushcclosure(lua, guarded_handler, 1);
  lua_replace(lua, 2);
  lua_pushboolean(lua, 1);
  lua_pushvalue(lua, 1);
  lua_rotate(lua, 3, 2);
  const int status = lua_pcallk(lua, count - 2, LUA_MULTRET, 2, 2, finish_protected);
  return finish_protected(lua, status, 2);
}

int set_metatable(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  const int type = lua_type(lua, 2);
  luaL_argexpected(lua, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
  if (luaL_getmetafield(lua, 1, "__metatable") != LUA_TNIL) {
    // A list that came from JSON may become something else.
    if (!expression::is_marked_list(lua, 1)) return luaL_error(lua, "this metatable cannot be changed");
    lua_pop(lua, 1);
  }
  if (type == LUA_TTABLE) {
    for (const char* name : {"__gc", "__mode"}) {
      lua_pushstring(lua, name);
      if (lua_rawget(lua, 2) != LUA_TNIL)
        return luaL_error(lua, "a metatable has no '%s' here: when memory is freed must not change what a script does",
                          name);
      lua_pop(lua, 1);
    }
  }
  lua_settop(lua, 2);
  lua_setmetatable(lua, 1);
  return 1;
}

int get_metatable(lua_State* lua) {
  luaL_checkany(lua, 1);
  if (expression::is_marked_list(lua, 1) || !lua_getmetatable(lua, 1)) {
    lua_pushnil(lua);
    return 1;
  }
  luaL_getmetafield(lua, 1, "__metatable");
  return 1;
}

bool is_world(lua_State* lua, int index) {
  lua_getfield(lua, LUA_REGISTRYINDEX, kWorld);
  const bool same = lua_rawequal(lua, -1, index) != 0;
  lua_pop(lua, 1);
  return same;
}

int raw_set(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checkany(lua, 3);
  if (is_world(lua, 1)) return luaL_error(lua, "global names cannot be set; use local");
  lua_settop(lua, 3);
  lua_rawset(lua, 1);
  return 1;
}
int raw_get(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checkany(lua, 2);
  lua_settop(lua, 2);
  lua_rawget(lua, 1);
  return 1;
}
int raw_equal(lua_State* lua) {
  luaL_checkany(lua, 2);
  lua_pushboolean(lua, lua_rawequal(lua, 1, 2));
  return 1;
}
int raw_length(lua_State* lua) {
  const int type = lua_type(lua, 1);
  luaL_argexpected(lua, type == LUA_TTABLE || type == LUA_TSTRING, 1, "table or string");
  lua_pushinteger(lua, static_cast<lua_Integer>(lua_rawlen(lua, 1)));
  return 1;
}

// next(t): the first key in order, or nil; to go through a table there is pairs.
int next(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  if (!lua_isnoneornil(lua, 2)) return luaL_error(lua, "next takes no key here: use pairs, which goes in order");
  expression::push_sorted_keys(lua, 1);
  if (lua_rawgeti(lua, -1, 1) == LUA_TNIL) return 1;
  lua_pushvalue(lua, -1);
  lua_rawget(lua, 1);
  return 2;
}

// Without addresses: what a script prints is the same in every life.
int to_text(lua_State* lua) {
  luaL_checkany(lua, 1);
  if (luaL_callmeta(lua, 1, "__tostring")) {
    if (lua_type(lua, -1) != LUA_TSTRING) return luaL_error(lua, "'__tostring' must return a text");
    return 1;
  }
  switch (lua_type(lua, 1)) {
    case LUA_TNIL:
      lua_pushliteral(lua, "nil");
      return 1;
    case LUA_TBOOLEAN:
      lua_pushstring(lua, lua_toboolean(lua, 1) ? "true" : "false");
      return 1;
    case LUA_TNUMBER:
    case LUA_TSTRING:
      lua_pushvalue(lua, 1);
      lua_tostring(lua, -1);
      return 1;
    default:
      lua_pushstring(lua, expression::kind_name(lua, 1));
      return 1;
  }
}

int print(lua_State* lua) {
  std::string text;
  const int count = lua_gettop(lua);
  for (int i = 1; i <= count; ++i) {
    lua_pushcfunction(lua, to_text);
    lua_pushvalue(lua, i);
    lua_call(lua, 1, 1);
    text += (i > 1 ? "\t" : "") + std::string(lua_tostring(lua, -1));
    lua_pop(lua, 1);
  }
  Execution::of(lua).log("info", std::move(text), {});
  return 0;
}

// table.move, with a bound: Lua's own goes through any range that it is given.
int table_move(lua_State* lua) {
  const lua_Integer from = luaL_checkinteger(lua, 2);
  const lua_Integer end = luaL_checkinteger(lua, 3);
  const lua_Integer to = luaL_checkinteger(lua, 4);
  const int target = lua_isnoneornil(lua, 5) ? 1 : 5;
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checktype(lua, target, LUA_TTABLE);
  if (end >= from) {
    luaL_argcheck(lua, from > -kMoveMax && end < from + kMoveMax, 3, "too many items to move");
    luaL_argcheck(lua, to > -LUA_MAXINTEGER / 2 && to < LUA_MAXINTEGER / 2, 4, "out of range");
    const bool forward = to > end || to <= from || target == 5;
    for (lua_Integer i = 0; i <= end - from; ++i) {
      const lua_Integer at = forward ? i : end - from - i;
      State::of(lua).charge(lua, 1);
      lua_geti(lua, 1, from + at);
      lua_seti(lua, target, to + at);
    }
  }
  lua_pushvalue(lua, target);
  return 1;
}

// The length of the table that is argument 1, whatever its metatable says: Lua's own insert and remove move as many items,
// in one function that nothing interrupts.
lua_Integer movable_length(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  const lua_Integer length = luaL_len(lua, 1);
  luaL_argcheck(lua, length >= 0 && length <= kMoveMax, 1, "too many items to move");
  return length;
}

int table_insert(lua_State* lua) {
  const lua_Integer length = movable_length(lua);
  const int given = lua_gettop(lua);
  if (given == 2) {
    lua_seti(lua, 1, length + 1);
    return 0;
  }
  if (given != 3) return luaL_error(lua, "wrong number of arguments to 'insert'");
  const lua_Integer place = luaL_checkinteger(lua, 2);
  luaL_argcheck(lua, place >= 1 && place <= length + 1, 2, "position out of bounds");
  State::of(lua).charge(lua, length + 1 - place);
  for (lua_Integer i = length + 1; i > place; --i) {
    lua_geti(lua, 1, i - 1);
    lua_seti(lua, 1, i);
  }
  lua_seti(lua, 1, place);
  return 0;
}

int table_remove(lua_State* lua) {
  const lua_Integer length = movable_length(lua);
  lua_Integer place = luaL_optinteger(lua, 2, length);
  if (!lua_isnoneornil(lua, 2))
    luaL_argcheck(lua, (place >= 1 && place <= length + 1) || (place == 0 && length == 0), 2, "position out of bounds");
  State::of(lua).charge(lua, length - place);
  lua_geti(lua, 1, place);
  for (; place < length; ++place) {
    lua_geti(lua, 1, place + 1);
    lua_seti(lua, 1, place);
  }
  lua_pushnil(lua);
  lua_seti(lua, 1, place);
  return 1;
}

// math.random: drawn from the scope's own numbers, which depend on the run alone.
int random_number(lua_State* lua) {
  return random_of(lua);
}

const std::vector<expression::Library>& libraries() {
  static const std::vector<expression::Library> kLibraries = [] {
    std::vector<expression::Library> all = expression::expression_libraries();
    for (auto& library : all) {
      const std::string_view name = library.name;
      if (name == "math") library.own.push_back({"random", random_number});
      if (name == "string") library.kept.insert(library.kept.end(), {"find", "match", "gmatch", "gsub"});
      if (name == "table") {
        library.kept.push_back("pack");
        std::erase_if(library.kept, [](std::string_view kept) { return kept == "insert" || kept == "remove"; });
        library.own.push_back({"move", table_move});
        library.own.push_back({"insert", table_insert});
        library.own.push_back({"remove", table_remove});
      }
    }
    return all;
  }();
  return kLibraries;
}

// --- require

int require_module(lua_State* lua) {
  const std::string name = luaL_checkstring(lua, 1);
  if (name == "godwit") {
    lua_getfield(lua, LUA_REGISTRYINDEX, kNames);
    lua_getfield(lua, -1, "gw");
    return 1;
  }
  lua_getfield(lua, LUA_REGISTRYINDEX, kModules);
  const int modules = lua_gettop(lua);
  lua_pushlstring(lua, name.data(), name.size());
  if (lua_rawget(lua, modules) != LUA_TNIL) {
    if (lua_islightuserdata(lua, -1)) return luaL_error(lua, "module '%s' requires itself", name.c_str());
    return 1;
  }
  const auto& known = Execution::of(lua).bundle().modules;
  const auto found = known.find(name);
  if (found == known.end()) {
    std::vector<std::string> names;
    for (const auto& [other, text] : known) names.push_back(other);
    const std::string hint = base::suggest(name, names);
    return luaL_error(lua, "there is no module '%s': %s is not next to the script%s%s", name.c_str(),
                      model::module_path(name).c_str(), hint.empty() ? "" : "; ", hint.c_str());
  }
  lua_pushlightuserdata(lua, nullptr);
  lua_setfield(lua, modules, name.c_str());
  if (!load_chunk(lua, found->second, model::module_path(name))) return lua_error(lua);
  lua_call(lua, 0, 1);
  if (lua_isnil(lua, -1)) {
    lua_pop(lua, 1);
    lua_pushboolean(lua, 1);
  }
  lua_pushvalue(lua, -1);
  lua_setfield(lua, modules, name.c_str());
  return 1;
}

// --- the world

int unknown_name(lua_State* lua) {
  std::size_t size = 0;
  const char* name = lua_type(lua, 2) == LUA_TSTRING ? lua_tolstring(lua, 2, &size) : nullptr;
  if (!name) return luaL_error(lua, "only names are known here");
  std::vector<std::string> known;
  lua_getfield(lua, LUA_REGISTRYINDEX, kNames);
  for (lua_pushnil(lua); lua_next(lua, -2); lua_pop(lua, 1)) known.emplace_back(lua_tostring(lua, -2));
  const std::string hint = base::suggest({name, size}, known);
  for (const char* gone :
       {"io", "os", "debug", "load", "loadstring", "dofile", "loadfile", "package", "coroutine", "collectgarbage"})
    if (std::string_view(gone) == name)
      return luaL_error(lua, "'%s' is not there: a script reaches outside by steps only (gw.call and the like)", name);
  return luaL_error(lua, "unknown name '%s'%s%s", name, hint.empty() ? "" : "; ", hint.c_str());
}

int set_name(lua_State* lua) {
  const char* name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "?";
  return luaL_error(lua, "global names cannot be set; write `local %s`", name);
}

constexpr std::array kOwn{expression::Function{"pcall", protected_call},
                          expression::Function{"xpcall", protected_call_with_handler},
                          expression::Function{"setmetatable", set_metatable},
                          expression::Function{"getmetatable", get_metatable},
                          expression::Function{"rawset", raw_set},
                          expression::Function{"rawget", raw_get},
                          expression::Function{"rawequal", raw_equal},
                          expression::Function{"rawlen", raw_length},
                          expression::Function{"next", next},
                          expression::Function{"tostring", to_text},
                          expression::Function{"print", print},
                          expression::Function{"require", require_module}};

}  // namespace

void add_world(lua_State* lua) {
  add_failure_type(lua);
  luaL_newmetatable(lua, kJobMark);
  lua_newtable(lua);
  lua_setfield(lua, LUA_REGISTRYINDEX, kModules);

  lua_newtable(lua);
  expression::add_functions(lua, libraries());
  for (const auto& function : kOwn) {
    lua_pushcfunction(lua, function.call);
    lua_setfield(lua, -2, function.name);
  }
  push_api(lua);
  lua_setfield(lua, -2, "gw");
  lua_pushvalue(lua, -1);
  lua_setfield(lua, LUA_REGISTRYINDEX, kNames);
  lua_createtable(lua, 0, 1);
  lua_pushcfunction(lua, unknown_name);
  lua_setfield(lua, -2, "__index");
  lua_setmetatable(lua, -2);

  lua_newtable(lua);
  lua_createtable(lua, 0, 3);
  lua_pushvalue(lua, -3);
  lua_setfield(lua, -2, "__index");
  lua_pushcfunction(lua, set_name);
  lua_setfield(lua, -2, "__newindex");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_setmetatable(lua, -2);
  lua_setfield(lua, LUA_REGISTRYINDEX, kWorld);
  lua_settop(lua, 0);
}

bool load_chunk(lua_State* lua, const std::string& text, const std::string& name) {
  if (luaL_loadbufferx(lua, text.data(), text.size(), ("@" + name).c_str(), "t") != LUA_OK) return false;
  lua_getfield(lua, LUA_REGISTRYINDEX, kWorld);
  lua_setupvalue(lua, -2, 1);
  return true;
}

}  // namespace godwit::script
