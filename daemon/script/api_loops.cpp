// The functions of gw that make branches.
#include "base/digest.hpp"
#include "base/json_text.hpp"
#include "expression/values.hpp"
#include "script/api.hpp"
#include "script/arguments.hpp"
#include "script/execution.hpp"
#include "script/values.hpp"

namespace godwit::script {
namespace {

// Recorded lists up to this size stand in the journal as they are, longer ones by their hash.
constexpr std::size_t kListShown = 256u << 10;
constexpr std::size_t kFoldListMin = 10'000;

std::size_t number(lua_State* lua, int options, const char* name, std::size_t absent, const char* function,
                   lua_Integer least = 1) {
  std::size_t result = absent;
  if (lua_getfield(lua, options, name) != LUA_TNIL) {
    if (!lua_isinteger(lua, -1) || lua_tointeger(lua, -1) < least || lua_tointeger(lua, -1) > 10'000'000)
      luaL_error(lua, "gw.%s: %s must be an integer from %d to 10000000", function, name, static_cast<int>(least));
    result = static_cast<std::size_t>(lua_tointeger(lua, -1));
  }
  lua_pop(lua, 1);
  return result;
}

OnBranchError on_error(lua_State* lua, int options, const char* function) {
  OnBranchError result = OnBranchError::fail;
  if (lua_getfield(lua, options, "on_error") != LUA_TNIL) {
    const std::string text = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "";
    if (text == "skip") {
      result = OnBranchError::skip;
    } else if (text == "record") {
      result = OnBranchError::record;
    } else if (text != "fail") {
      luaL_error(lua, "gw.%s: on_error must be \"fail\", \"skip\" or \"record\"", function);
    }
  }
  lua_pop(lua, 1);
  return result;
}

Ref function_option(lua_State* lua, int options, const char* name, const char* function) {
  if (lua_getfield(lua, options, name) == LUA_TNIL) {
    lua_pop(lua, 1);
    return {};
  }
  if (lua_type(lua, -1) != LUA_TFUNCTION) luaL_error(lua, "gw.%s: %s must be a function", function, name);
  return Ref(lua);
}

void read_fold(lua_State* lua, int options, Loop& loop) {
  if (lua_getfield(lua, options, "fold") == LUA_TNIL) {
    lua_pop(lua, 1);
    lua_newtable(lua);
    expression::mark_list(lua, -1);
    loop.value = Ref(lua);
    return;
  }
  const int fold = lua_gettop(lua);
  if (lua_type(lua, fold) != LUA_TTABLE || lua_rawgeti(lua, fold, 2) != LUA_TFUNCTION)
    luaL_error(lua, "gw.each: fold must be {init, fn} with fn(acc, result, item, index)");
  loop.fold = Ref(lua);
  lua_rawgeti(lua, fold, 1);
  loop.value = Ref(lua);
  lua_pop(lua, 1);
  loop.folds = true;
}

// The list at `index`: how many, its hash, and what is recorded of it.
std::int64_t take_list(lua_State* lua, int index, Loop& loop, std::string& recorded, const char* function) {
  if (lua_type(lua, index) != LUA_TTABLE)
    luaL_error(lua, "gw.%s: a list is needed, not a %s", function, luaL_typename(lua, index));
  std::string text = json_text(lua, index, "the list", 1u << 30);
  if (text == "{}") text = "[]";
  if (text.front() != '[') luaL_error(lua, "gw.%s: a list is needed, not a table with named members", function);
  loop.count = static_cast<std::size_t>(lua_rawlen(lua, index));
  lua_pushvalue(lua, index);
  loop.items = Ref(lua);
  const std::string hash = base::sha256_hex(text);
  recorded = text.size() <= kListShown ? std::move(text)
                                       : "{\"count\":" + std::to_string(loop.count) + ",\"sha256\":\"" + hash + "\"}";
  return base::sha256_prefix("list\n" + hash);
}

// each(name, list[, opts], fn), and map without options.
int each(lua_State* lua) {
  auto loop = std::make_unique<Loop>();
  loop->name = checked_name(lua, 1, "each");
  if (lua_type(lua, 3) == LUA_TFUNCTION) {
    lua_settop(lua, 3);
    lua_pushnil(lua);
    lua_insert(lua, 3);
  }
  lua_settop(lua, 4);
  if (lua_type(lua, 4) != LUA_TFUNCTION)
    luaL_error(lua, "gw.each: the last argument must be a function that is called with each item");
  check_options(lua, 3, "each", "godwit.EachOptions");
  loop->parallel = number(lua, 3, "parallel", 32, "each");
  loop->on_error = on_error(lua, 3, "each");
  loop->key = function_option(lua, 3, "key", "each");
  read_fold(lua, 3, *loop);
  std::string recorded;
  const std::int64_t hash = take_list(lua, 2, *loop, recorded, "each");
  loop->foldable = loop->count > kFoldListMin;
  lua_pushvalue(lua, 4);
  loop->function = Ref(lua);
  return Execution::of(lua).run_loop(lua, std::move(loop), hash, recorded);
}

int frontier(lua_State* lua) {
  auto loop = std::make_unique<Loop>();
  loop->kind = Loop::Kind::frontier;
  loop->name = checked_name(lua, 1, "frontier");
  if (lua_type(lua, 3) == LUA_TFUNCTION) {
    lua_settop(lua, 3);
    lua_pushnil(lua);
    lua_insert(lua, 3);
  }
  lua_settop(lua, 4);
  luaL_checktype(lua, 4, LUA_TFUNCTION);
  check_options(lua, 3, "frontier", "godwit.FrontierOptions");
  loop->parallel = number(lua, 3, "parallel", 32, "frontier");
  loop->on_error = on_error(lua, 3, "frontier");
  loop->depth_max = static_cast<int>(number(lua, 3, "depth", 1'000, "frontier", 0));
  loop->items_max = number(lua, 3, "max", 100'000, "frontier");
  loop->key = function_option(lua, 3, "key", "frontier");
  lua_newtable(lua);
  expression::mark_list(lua, -1);
  loop->value = Ref(lua);
  std::string recorded;
  const std::int64_t hash = take_list(lua, 2, *loop, recorded, "frontier");
  lua_pushvalue(lua, 4);
  loop->function = Ref(lua);
  // The list grows, and the script's own shall not.
  const auto seeds = static_cast<lua_Integer>(loop->count);
  loop->count = 0;
  lua_newtable(lua);
  loop->items = Ref(lua);
  for (lua_Integer i = 1; i <= seeds; ++i) {
    lua_rawgeti(lua, 2, i);
    Execution::of(lua).add_item(lua, *loop, 0);
  }
  return Execution::of(lua).run_loop(lua, std::move(loop), hash, recorded);
}

// all([name,] {fn, ...}) and first: the functions by their keys, in the order of the keys.
int functions(lua_State* lua, Loop::Kind kind, const char* function) {
  auto loop = std::make_unique<Loop>();
  loop->kind = kind;
  loop->name = function;
  if (lua_type(lua, 1) == LUA_TSTRING) {
    loop->name = checked_name(lua, 1, function);
    lua_remove(lua, 1);
  }
  lua_settop(lua, 1);
  if (lua_type(lua, 1) != LUA_TTABLE) luaL_error(lua, "gw.%s: a table of functions is needed", function);
  expression::push_sorted_keys(lua, 1);
  loop->count = static_cast<std::size_t>(lua_rawlen(lua, 2));
  if (loop->count == 0 && kind == Loop::Kind::first) luaL_error(lua, "gw.first: there is nothing to choose from");
  loop->parallel = std::max<std::size_t>(loop->count, 1);
  lua_createtable(lua, static_cast<int>(loop->count), 0);
  std::string all;
  for (std::size_t i = 1; i <= loop->count; ++i) {
    lua_rawgeti(lua, 2, static_cast<lua_Integer>(i));
    if (lua_type(lua, -1) != LUA_TSTRING && !lua_isinteger(lua, -1))
      luaL_error(lua, "gw.%s: the functions are numbered or named", function);
    lua_pushvalue(lua, -1);
    lua_rawget(lua, 1);
    if (lua_type(lua, -1) != LUA_TFUNCTION) luaL_error(lua, "gw.%s: all members must be functions", function);
    lua_rawseti(lua, 3, static_cast<lua_Integer>(i));
    loop->keys.emplace_back(lua_tostring(lua, -1));
    lua_pop(lua, 1);
    all += (i > 1 ? "," : "") + base::serialize(loop->keys.back());
  }
  loop->items = Ref(lua);
  lua_newtable(lua);
  loop->value = Ref(lua);
  return Execution::of(lua).run_loop(lua, std::move(loop), base::sha256_prefix("branches\n" + all), "[" + all + "]");
}

int all(lua_State* lua) {
  return functions(lua, Loop::Kind::all, "all");
}
int first(lua_State* lua) {
  return functions(lua, Loop::Kind::first, "first");
}

}  // namespace

std::vector<ApiFunction> loop_functions() {
  const ApiField name{"name", "string", "of the loop; its items' steps are `name[0]`, `name[1]` ..."};
  const ApiField list{"list", "any[]", "the items"};
  return {
      {"each",
       "Calls fn for each item, `parallel` of them at once: a durable loop. Each item's steps are its own, so items "
       "may "
       "end in any order; results come in the order of the items. Of lists over 10,000 items finished ones are folded "
       "away, so that a restart costs only what is in flight.",
       {name,
        list,
        {"opts", "godwit.EachOptions?", "how; may be left out"},
        {"fn", "fun(item: any, index: integer): any", "called with each item"}},
       "any",
       "foreach",
       each},
      {"map",
       "gw.each under the name it has elsewhere: gives the results in the order of the items.",
       {name,
        list,
        {"opts", "godwit.EachOptions?", "how; may be left out"},
        {"fn", "fun(item: any, index: integer): any", "called with each item"}},
       "any[]",
       "foreach",
       each},
      {"frontier",
       "Works off a list that grows: fn(item, grow) may call grow(item) for items it found. Each key once. Gives the "
       "results in the order in which the items were found.",
       {name,
        list,
        {"opts", "godwit.FrontierOptions?", "how; may be left out"},
        {"fn", "fun(item: any, grow: fun(item: any): boolean): any", "called with each item"}},
       "any[]",
       "foreach: {grow: ...}",
       frontier},
      {"all",
       "Runs functions at the same time and waits for all; gives their results under the same keys. The first error "
       "cancels the others.",
       {{"name", "string?", "of the branches, \"all\" when left out"},
        {"fns", "table<any, function>", "the functions"}},
       "table",
       "stages without needs",
       all},
      {"first",
       "Runs functions at the same time; gives the result of the first that succeeds and its key, and cancels the "
       "others.",
       {{"name", "string?", "of the branches, \"first\" when left out"},
        {"fns", "table<any, function>", "the functions"}},
       "any, any",
       "",
       first},
  };
}

}  // namespace godwit::script
