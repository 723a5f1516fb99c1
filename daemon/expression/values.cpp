#include "expression/values.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "base/utf8.hpp"
#include "expression/heap.hpp"

namespace godwit::expression {
namespace {

constexpr const char* kListView = "list";
constexpr const char* kObjectView = "object";
constexpr const char* kListMark = "godwit.list";

// What the userdata of a view holds. A view that is kept beyond its evaluation cannot be reached by any expression; the
// number is a second lock.
struct View {
  const json::value* value;
  const Scope::Root* members;  // of a root whose members were set one by one
  std::uint64_t evaluation;
};

const View* view_at(lua_State* lua, int index) {
  if (lua_type(lua, index) != LUA_TUSERDATA) return nullptr;
  void* data = luaL_testudata(lua, index, kListView);
  if (!data) data = luaL_testudata(lua, index, kObjectView);
  const auto* view = static_cast<const View*>(data);
  return view && view->evaluation == Heap::of(lua).evaluation() ? view : nullptr;
}

const json::array* array_of(const View* view) {
  return view->value ? view->value->if_array() : nullptr;
}
const json::object* object_of(const View* view) {
  return view->value ? view->value->if_object() : nullptr;
}

void push_view(lua_State* lua, View view) {
  *static_cast<View*>(lua_newuserdatauv(lua, sizeof(View), 0)) = view;
  luaL_setmetatable(lua, view.value && view.value->is_array() ? kListView : kObjectView);
}

int view_index(lua_State* lua) {
  const View* view = view_at(lua, 1);
  if (!view) return luaL_error(lua, "this value is gone");
  const json::value* found = nullptr;
  if (const auto* array = array_of(view)) {
    int exact = 0;
    const lua_Integer at = lua_tointegerx(lua, 2, &exact);
    if (exact && lua_type(lua, 2) == LUA_TNUMBER && at >= 1 && static_cast<std::size_t>(at) <= array->size())
      found = &(*array)[static_cast<std::size_t>(at) - 1];
  } else if (lua_type(lua, 2) == LUA_TSTRING) {
    std::size_t size = 0;
    const char* key = lua_tolstring(lua, 2, &size);
    const auto* object = object_of(view);
    found = object ? object->if_contains({key, size}) : view->members->find_member({key, size});
  }
  if (found) {
    push_json(lua, *found);
  } else {
    lua_pushnil(lua);
  }
  return 1;
}

int view_length(lua_State* lua) {
  const View* view = view_at(lua, 1);
  const auto* array = view ? array_of(view) : nullptr;
  if (!array) return luaL_error(lua, "an object has no #; len(x) counts its members");
  lua_pushinteger(lua, static_cast<lua_Integer>(array->size()));
  return 1;
}

int view_equal(lua_State* lua) {
  const View* a = view_at(lua, 1);
  const View* b = view_at(lua, 2);
  lua_pushboolean(lua, a && b && a->value == b->value && a->members == b->members);
  return 1;
}

int view_write(lua_State* lua) {
  return luaL_error(lua, "values given to an expression cannot be changed; make a new table");
}

void add_view_type(lua_State* lua, const char* name) {
  luaL_newmetatable(lua, name);
  const luaL_Reg methods[] = {{"__index", view_index},
                              {"__len", view_length},
                              {"__eq", view_equal},
                              {"__newindex", view_write},
                              {nullptr, nullptr}};
  luaL_setfuncs(lua, methods, 0);
  lua_pop(lua, 1);
}

// Turns Lua values into JSON and counts what the result weighs on the way.
class Exporter {
 public:
  Exporter(lua_State* lua, std::size_t budget) : lua_(lua), left_(budget) {}

  json::value value(int index, std::size_t depth) {
    check_depth(depth);
    if (!lua_checkstack(lua_, 4)) throw_too_deep();
    take(8);
    switch (lua_type(lua_, index)) {
      case LUA_TNIL:
        return nullptr;
      case LUA_TBOOLEAN:
        return lua_toboolean(lua_, index) != 0;
      case LUA_TNUMBER:
        return number(index);
      case LUA_TSTRING:
        return json::value(json::string(whole_text(text(index))));
      case LUA_TTABLE:
        return table(lua_absindex(lua_, index), depth);
      case LUA_TLIGHTUSERDATA:
        return nullptr;
      default:
        break;
    }
    if (const View* view = view_at(lua_, index))
      return view->value ? copy(*view->value, depth) : members(*view->members, depth);
    throw std::runtime_error(std::string("a ") + kind_name(lua_, index) + " cannot be part of the value");
  }

  json::value copy(const json::value& value, std::size_t depth) {
    weigh(value, depth);
    return value;
  }

 private:
  void take(std::size_t bytes) {
    if (bytes > left_) throw std::runtime_error("the value is too large");
    left_ -= bytes;
  }

  [[noreturn]] static void throw_too_deep() {
    throw std::runtime_error("the value is nested deeper than " + std::to_string(base::kJsonDepthMax) +
                             " levels, or contains itself");
  }
  static void check_depth(std::size_t depth) {
    if (depth > base::kJsonDepthMax) throw_too_deep();
  }

  // Lua's texts are bytes, of which a function may have cut a part of a letter off.
  static std::string_view whole_text(std::string_view text) {
    if (!base::is_utf8(text))
      throw std::runtime_error(
          "the value has text that is not UTF-8, or has a zero byte (utf8.offset() tells where a "
          "letter begins)");
    return text;
  }

  void weigh(const json::value& value, std::size_t depth) {
    take(8);
    if (const auto* text = value.if_string()) {
      take(text->size());
    } else if (const auto* array = value.if_array()) {
      check_depth(depth);
      for (const auto& item : *array) weigh(item, depth + 1);
    } else if (const auto* object = value.if_object()) {
      check_depth(depth);
      for (const auto& member : *object) {
        take(member.key().size());
        weigh(member.value(), depth + 1);
      }
    }
  }

  json::value number(int index) {
    if (lua_isinteger(lua_, index)) return static_cast<std::int64_t>(lua_tointeger(lua_, index));
    const double value = lua_tonumber(lua_, index);
    if (!std::isfinite(value)) throw std::runtime_error("the value is not a finite number (a division by zero?)");
    return value;
  }

  std::string_view text(int index) {
    std::size_t size = 0;
    const char* data = lua_tolstring(lua_, index, &size);
    take(size);
    return {data, size};
  }

  json::value members(const Scope::Root& root, std::size_t depth) {
    json::object result;
    for (const auto& [key, member] : root.members) result.emplace(key, copy(*member, depth + 1));
    return result;
  }

  json::value table(int index, std::size_t depth) {
    std::size_t count = 0;
    std::size_t names = 0;
    for (lua_pushnil(lua_); lua_next(lua_, index); lua_pop(lua_, 1)) {
      ++count;
      if (lua_type(lua_, -2) == LUA_TSTRING) {
        ++names;
      } else if (!lua_isinteger(lua_, -2)) {
        throw std::runtime_error(std::string("a table with a ") + kind_name(lua_, -2) +
                                 " as a key cannot be part of the value");
      }
    }
    if (names > 0 && names < count) throw std::runtime_error("a table has both list items and named members");
    if (names > 0 || (count == 0 && !is_marked_list(lua_, index))) return object(index, depth);
    return list(index, count, depth);
  }

  json::value object(int index, std::size_t depth) {
    json::object result;
    push_sorted_keys_unchecked(index);
    for (const auto& key : keys_.back()) {
      take(key.size());
      lua_pushlstring(lua_, key.data(), key.size());
      lua_rawget(lua_, index);
      result.emplace(whole_text(key), value(-1, depth + 1));
      lua_pop(lua_, 1);
    }
    keys_.pop_back();
    return result;
  }

  // Lua keeps strings in an order of its own; JSON objects keep the order of insertion, and equal expressions shall
  // give equal text.
  void push_sorted_keys_unchecked(int index) {
    auto& keys = keys_.emplace_back();
    for (lua_pushnil(lua_); lua_next(lua_, index); lua_pop(lua_, 1)) {
      std::size_t size = 0;
      const char* data = lua_tolstring(lua_, -2, &size);
      keys.emplace_back(data, size);
    }
    std::sort(keys.begin(), keys.end());
  }

  json::value list(int index, std::size_t count, std::size_t depth) {
    json::array result;
    result.reserve(count);
    for (std::size_t i = 1; i <= count; ++i) {
      if (lua_rawgeti(lua_, index, static_cast<lua_Integer>(i)) == LUA_TNIL)
        throw std::runtime_error("a list has no item " + std::to_string(i) + " (put null where nothing is known)");
      result.push_back(value(-1, depth + 1));
      lua_pop(lua_, 1);
    }
    return result;
  }

  lua_State* lua_;
  std::size_t left_;
  std::vector<std::vector<std::string>> keys_;
};

}  // namespace

void add_value_types(lua_State* lua) {
  add_view_type(lua, kListView);
  add_view_type(lua, kObjectView);
  luaL_newmetatable(lua, kListMark);
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_pop(lua, 1);
}

void push_json(lua_State* lua, const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return lua_pushlightuserdata(lua, nullptr);
    case json::kind::bool_:
      return lua_pushboolean(lua, value.get_bool());
    case json::kind::int64:
      return lua_pushinteger(lua, value.get_int64());
    case json::kind::uint64: {
      // A Lua integer has 63 bits and a sign; what is above becomes a float, as Lua itself does with such a literal.
      const auto number = value.get_uint64();
      if (number <= static_cast<std::uint64_t>(LUA_MAXINTEGER))
        return lua_pushinteger(lua, static_cast<lua_Integer>(number));
      return lua_pushnumber(lua, static_cast<lua_Number>(number));
    }
    case json::kind::double_:
      return lua_pushnumber(lua, value.get_double());
    case json::kind::string:
      lua_pushlstring(lua, value.get_string().data(), value.get_string().size());
      return;
    case json::kind::array:
    case json::kind::object:
      return push_view(lua, {&value, nullptr, Heap::of(lua).evaluation()});
  }
}

void push_root(lua_State* lua, const Scope::Root& root) {
  if (root.whole) return push_json(lua, *root.whole);
  push_view(lua, {nullptr, &root, Heap::of(lua).evaluation()});
}

json::value to_json(lua_State* lua, int index, std::size_t budget, std::size_t depth) {
  return Exporter(lua, budget).value(index, depth);
}
json::value bounded_copy(const json::value& value, std::size_t budget, std::size_t depth) {
  return Exporter(nullptr, budget).copy(value, depth);
}

bool is_null(lua_State* lua, int index) {
  return lua_type(lua, index) == LUA_TLIGHTUSERDATA;
}
bool is_view(lua_State* lua, int index) {
  return view_at(lua, index) != nullptr;
}

const char* kind_name(lua_State* lua, int index) {
  if (is_null(lua, index)) return "null";
  if (const View* view = view_at(lua, index)) return array_of(view) ? kListView : kObjectView;
  const char* name = luaL_typename(lua, index);
  return std::strcmp(name, "userdata") == 0 ? "library" : name;
}

void mark_list(lua_State* lua, int index) {
  lua_pushvalue(lua, index);
  luaL_setmetatable(lua, kListMark);
  lua_pop(lua, 1);
}

bool is_marked_list(lua_State* lua, int index) {
  if (!lua_getmetatable(lua, index)) return false;
  luaL_getmetatable(lua, kListMark);
  const bool same = lua_rawequal(lua, -1, -2);
  lua_pop(lua, 2);
  return same;
}

lua_Integer check_list(lua_State* lua, int index) {
  if (const View* view = view_at(lua, index))
    if (const auto* array = array_of(view)) return static_cast<lua_Integer>(array->size());
  if (lua_type(lua, index) != LUA_TTABLE)
    luaL_argerror(lua, index, lua_pushfstring(lua, "a list is needed, not %s", kind_name(lua, index)));
  return static_cast<lua_Integer>(lua_rawlen(lua, index));
}

namespace {

// What a key sorts by: numbers before texts before booleans.
struct Key {
  int group;
  lua_Number number;
  std::string text;
  lua_Integer integer;
  bool is_integer;
};

Key key_at(lua_State* lua, int index) {
  switch (lua_type(lua, index)) {
    case LUA_TNUMBER:
      return {0,
              lua_tonumber(lua, index),
              {},
              lua_isinteger(lua, index) ? lua_tointeger(lua, index) : 0,
              lua_isinteger(lua, index) != 0};
    case LUA_TSTRING: {
      std::size_t size = 0;
      const char* data = lua_tolstring(lua, index, &size);
      return {1, 0, std::string(data, size), 0, false};
    }
    case LUA_TBOOLEAN:
      return {2, static_cast<lua_Number>(lua_toboolean(lua, index)), {}, 0, false};
    default:
      luaL_error(lua, "a table with a %s as a key has no order", kind_name(lua, index));
      return {};
  }
}

void push_key(lua_State* lua, const Key& key) {
  if (key.group == 1) {
    lua_pushlstring(lua, key.text.data(), key.text.size());
  } else if (key.group == 2) {
    lua_pushboolean(lua, key.number != 0);
  } else if (key.is_integer) {
    lua_pushinteger(lua, key.integer);
  } else {
    lua_pushnumber(lua, key.number);
  }
}

std::vector<Key> keys_of_view(const View& view) {
  std::vector<Key> keys;
  if (const auto* object = object_of(&view)) {
    for (const auto& member : *object) keys.push_back({1, 0, std::string(member.key()), 0, false});
  } else if (view.members) {
    for (const auto& member : view.members->members) keys.push_back({1, 0, member.first, 0, false});
  }
  return keys;
}

}  // namespace

void push_sorted_keys(lua_State* lua, int index) {
  index = lua_absindex(lua, index);
  std::vector<Key> keys;
  const View* view = view_at(lua, index);
  if (view && array_of(view)) {
    const auto count = static_cast<lua_Integer>(array_of(view)->size());
    Heap::of(lua).charge(lua, count);
    for (lua_Integer i = 1; i <= count; ++i) keys.push_back({0, static_cast<lua_Number>(i), {}, i, true});
  } else if (view) {
    keys = keys_of_view(*view);
  } else {
    luaL_argcheck(lua, lua_type(lua, index) == LUA_TTABLE, index, "a list or an object is needed");
    for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1)) keys.push_back(key_at(lua, -2));
  }
  Heap::of(lua).charge(lua, static_cast<std::int64_t>(keys.size()));
  std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
    if (a.group != b.group) return a.group < b.group;
    return a.group == 1 ? a.text < b.text : a.number < b.number;
  });
  lua_createtable(lua, static_cast<int>(keys.size()), 0);
  lua_Integer at = 0;
  for (const Key& key : keys) {
    push_key(lua, key);
    lua_rawseti(lua, -2, ++at);
  }
}

}  // namespace godwit::expression
