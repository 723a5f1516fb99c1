#include <algorithm>
#include <vector>

#include "expression/functions.hpp"
#include "expression/heap.hpp"
#include "expression/values.hpp"

namespace godwit::expression {
namespace {

// Pushes a new empty list; the caller fills it with lua_rawseti.
void push_list(lua_State* lua, lua_Integer size) {
  lua_createtable(lua, static_cast<int>(std::min<lua_Integer>(size, 1 << 20)), 0);
  mark_list(lua, -1);
}

// Replaces the list at `index` by a table of its items, so that each view of a JSON item is made once.
lua_Integer unpack_list(lua_State* lua, int index) {
  const lua_Integer count = check_list(lua, index);
  Heap::of(lua).charge(lua, count);
  push_list(lua, count);
  for (lua_Integer i = 1; i <= count; ++i) {
    lua_geti(lua, index, i);
    lua_rawseti(lua, -2, i);
  }
  lua_replace(lua, index);
  return count;
}

// product(a, b, ...): every combination of one item of each list; the last list varies fastest.
int product(lua_State* lua) {
  const int lists = lua_gettop(lua);
  luaL_argcheck(lua, lists > 0, 1, "a list is needed");
  luaL_checkstack(lua, 4, "too many lists");
  std::vector<lua_Integer> sizes;
  lua_Integer total = 1;
  for (int i = 1; i <= lists; ++i) {
    sizes.push_back(unpack_list(lua, i));
    // Charged as it grows, so that the number cannot overflow.
    total *= sizes.back();
    Heap::of(lua).charge(lua, total);
  }
  push_list(lua, total);
  std::vector<lua_Integer> at(static_cast<std::size_t>(lists), 1);
  for (lua_Integer n = 1; n <= total; ++n) {
    Heap::of(lua).charge(lua, 1);
    push_list(lua, lists);
    for (int i = 0; i < lists; ++i) {
      lua_rawgeti(lua, i + 1, at[static_cast<std::size_t>(i)]);
      lua_rawseti(lua, -2, i + 1);
    }
    lua_rawseti(lua, -2, n);
    for (std::size_t i = at.size(); i-- > 0 && ++at[i] > sizes[i];) at[i] = 1;
  }
  return 1;
}

// range(a, b[, step]): a, a + step, ... up to b, b included.
int range(lua_State* lua) {
  const lua_Integer from = luaL_checkinteger(lua, 1);
  const lua_Integer to = luaL_checkinteger(lua, 2);
  const lua_Integer step = luaL_optinteger(lua, 3, 1);
  luaL_argcheck(lua, step != 0, 3, "the step is zero");
  push_list(lua, 0);
  lua_Integer value = from;
  for (lua_Integer n = 1; step > 0 ? value <= to : value >= to; ++n) {
    Heap::of(lua).charge(lua, 1);
    lua_pushinteger(lua, value);
    lua_rawseti(lua, -2, n);
    if (__builtin_add_overflow(value, step, &value)) break;
  }
  return 1;
}

int sum(lua_State* lua) {
  const lua_Integer count = unpack_list(lua, 1);
  lua_pushinteger(lua, 0);
  for (lua_Integer i = 1; i <= count; ++i) {
    if (lua_rawgeti(lua, 1, i) != LUA_TNUMBER)
      return luaL_error(lua, "sum: item %I is a %s, not a number", i, kind_name(lua, -1));
    lua_arith(lua, LUA_OPADD);
  }
  return 1;
}

// min(list) or min(a, b, ...): the least by `<`; nil of an empty list. max likewise.
int extreme(lua_State* lua, bool greatest) {
  if (lua_gettop(lua) != 1) {
    const int count = lua_gettop(lua);
    push_list(lua, count);
    lua_insert(lua, 1);
    for (int i = count; i >= 1; --i) lua_rawseti(lua, 1, i);
  }
  const lua_Integer count = unpack_list(lua, 1);
  lua_pushnil(lua);
  for (lua_Integer i = 1; i <= count; ++i) {
    lua_rawgeti(lua, 1, i);
    const bool better = i == 1 || (greatest ? lua_compare(lua, -2, -1, LUA_OPLT) : lua_compare(lua, -1, -2, LUA_OPLT));
    if (better) lua_replace(lua, -2);
    lua_settop(lua, 2);
  }
  return 1;
}
int least(lua_State* lua) {
  return extreme(lua, false);
}
int greatest(lua_State* lua) {
  return extreme(lua, true);
}

int keys(lua_State* lua) {
  luaL_checkany(lua, 1);
  push_sorted_keys(lua, 1);
  mark_list(lua, -1);
  return 1;
}

int values(lua_State* lua) {
  luaL_checkany(lua, 1);
  push_sorted_keys(lua, 1);
  const auto count = static_cast<lua_Integer>(lua_rawlen(lua, -1));
  mark_list(lua, -1);
  for (lua_Integer i = 1; i <= count; ++i) {
    lua_rawgeti(lua, -1, i);
    lua_gettable(lua, 1);
    lua_rawseti(lua, -2, i);
  }
  return 1;
}

// Whether item a of the table at 1 comes before item b, by the function at 2 or else by `<`.
bool before(lua_State* lua, lua_Integer a, lua_Integer b) {
  Heap::of(lua).charge(lua, 1);
  if (lua_isnoneornil(lua, 2)) {
    lua_rawgeti(lua, 1, a);
    lua_rawgeti(lua, 1, b);
    const bool result = lua_compare(lua, -2, -1, LUA_OPLT) != 0;
    lua_pop(lua, 2);
    return result;
  }
  lua_pushvalue(lua, 2);
  lua_rawgeti(lua, 1, a);
  lua_rawgeti(lua, 1, b);
  lua_call(lua, 2, 1);
  const bool result = lua_toboolean(lua, -1) != 0;
  lua_pop(lua, 1);
  return result;
}

// The order of the items of the table at 1. A merge sort of our own: the standard library's may read out of bounds when
// the comparison contradicts itself.
std::vector<lua_Integer> sorted_order(lua_State* lua, lua_Integer count) {
  std::vector<lua_Integer> order(static_cast<std::size_t>(count));
  for (lua_Integer i = 0; i < count; ++i) order[static_cast<std::size_t>(i)] = i + 1;
  std::vector<lua_Integer> merged(order.size());
  for (std::size_t width = 1; width < order.size(); width *= 2) {
    for (std::size_t from = 0; from < order.size(); from += 2 * width) {
      const std::size_t middle = std::min(from + width, order.size());
      const std::size_t end = std::min(from + 2 * width, order.size());
      std::size_t left = from;
      std::size_t right = middle;
      for (std::size_t out = from; out < end; ++out) {
        const bool take_right = left == middle || (right < end && before(lua, order[right], order[left]));
        merged[out] = take_right ? order[right++] : order[left++];
      }
    }
    order.swap(merged);
  }
  return order;
}

// Pushes the items of the table at 1 in their order.
void push_sorted(lua_State* lua, lua_Integer count) {
  const auto order = sorted_order(lua, count);
  push_list(lua, count);
  for (lua_Integer i = 1; i <= count; ++i) {
    lua_rawgeti(lua, 1, order[static_cast<std::size_t>(i) - 1]);
    lua_rawseti(lua, -2, i);
  }
}

// sort(list[, before]): a sorted copy.
int sort(lua_State* lua) {
  if (!lua_isnoneornil(lua, 2)) luaL_checktype(lua, 2, LUA_TFUNCTION);
  push_sorted(lua, unpack_list(lua, 1));
  return 1;
}

// Pushes what two values have in common when they are equal: the value itself, or the JSON text of a table.
void push_identity(lua_State* lua, int index) {
  if (lua_type(lua, index) != LUA_TTABLE && !is_view(lua, index)) return lua_pushvalue(lua, index);
  push_text(lua, index);
  lua_pushliteral(lua, "json:");
  lua_insert(lua, -2);
  lua_concat(lua, 2);
}

// unique(list): each value once, at its first place.
int unique(lua_State* lua) {
  const lua_Integer count = unpack_list(lua, 1);
  push_list(lua, 0);
  lua_newtable(lua);
  lua_Integer kept = 0;
  for (lua_Integer i = 1; i <= count; ++i) {
    lua_settop(lua, 3);
    lua_rawgeti(lua, 1, i);
    push_identity(lua, 4);
    lua_pushvalue(lua, -1);
    if (lua_rawget(lua, 3) != LUA_TNIL) continue;
    lua_pushboolean(lua, 1);
    lua_replace(lua, -2);
    lua_rawset(lua, 3);
    lua_rawseti(lua, 2, ++kept);
  }
  lua_settop(lua, 2);
  return 1;
}

// Calls the function at 2 with item i of the table at 1 and with i; leaves its value on the stack.
void call_with_item(lua_State* lua, lua_Integer i) {
  Heap::of(lua).charge(lua, 1);
  lua_pushvalue(lua, 2);
  lua_rawgeti(lua, 1, i);
  lua_pushinteger(lua, i);
  lua_call(lua, 2, 1);
}

// map(list, f): f(item, index) of each.
int map(lua_State* lua) {
  luaL_checktype(lua, 2, LUA_TFUNCTION);
  lua_settop(lua, 2);
  const lua_Integer count = unpack_list(lua, 1);
  push_list(lua, count);
  for (lua_Integer i = 1; i <= count; ++i) {
    call_with_item(lua, i);
    if (lua_isnil(lua, -1)) lua_pushlightuserdata(lua, nullptr);
    lua_rawseti(lua, 3, i);
    lua_settop(lua, 3);
  }
  return 1;
}

// filter(list, f): the items of which f(item, index) is true.
int filter(lua_State* lua) {
  luaL_checktype(lua, 2, LUA_TFUNCTION);
  lua_settop(lua, 2);
  const lua_Integer count = unpack_list(lua, 1);
  push_list(lua, 0);
  lua_Integer kept = 0;
  for (lua_Integer i = 1; i <= count; ++i) {
    call_with_item(lua, i);
    if (lua_toboolean(lua, -1)) {
      lua_rawgeti(lua, 1, i);
      lua_rawseti(lua, 3, ++kept);
    }
    lua_settop(lua, 3);
  }
  return 1;
}

// flatten(lists): the items of a list of lists, one level deep; null counts as an empty list.
int flatten(lua_State* lua) {
  const lua_Integer count = unpack_list(lua, 1);
  lua_settop(lua, 1);
  push_list(lua, 0);
  lua_Integer kept = 0;
  for (lua_Integer i = 1; i <= count; ++i) {
    lua_rawgeti(lua, 1, i);
    if (!is_null(lua, 3)) {
      const lua_Integer inner = unpack_list(lua, 3);
      for (lua_Integer j = 1; j <= inner; ++j) {
        lua_rawgeti(lua, 3, j);
        lua_rawseti(lua, 2, ++kept);
      }
    }
    lua_settop(lua, 2);
  }
  return 1;
}

// array{...}: the same items, a list even when there are none.
int array(lua_State* lua) {
  unpack_list(lua, 1);
  lua_settop(lua, 1);
  return 1;
}

}  // namespace

int sort_in_place(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  if (!lua_isnoneornil(lua, 2)) luaL_checktype(lua, 2, LUA_TFUNCTION);
  const lua_Integer count = check_list(lua, 1);
  Heap::of(lua).charge(lua, count);
  push_sorted(lua, count);
  for (lua_Integer i = 1; i <= count; ++i) {
    lua_rawgeti(lua, -1, i);
    lua_rawseti(lua, 1, i);
  }
  return 0;
}

const std::vector<Function>& list_functions() {
  static const std::vector<Function> kFunctions{
      {"array", array},  {"filter", filter}, {"flatten", flatten}, {"keys", keys},   {"map", map},
      {"max", greatest}, {"min", least},     {"product", product}, {"range", range}, {"sort", sort},
      {"sum", sum},      {"unique", unique}, {"values", values}};
  return kFunctions;
}

}  // namespace godwit::expression
