#include "script/values.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "base/json_text.hpp"
#include "expression/values.hpp"

namespace godwit::script {
namespace {

// What is wrong with a value, with the path to the place in it.
struct Unfit {
  std::string why;
  std::string path;
};

// Writes Lua values as JSON without building a tree of them first: lists of a million items pass through here.
class Writer {
 public:
  Writer(lua_State* lua, std::size_t max) : lua_(lua), max_(max) {}

  std::string take() { return std::move(out_); }

  void value(int index, std::size_t depth) {
    if (depth > base::kJsonDepthMax || !lua_checkstack(lua_, 6))
      throw Unfit{"is nested deeper than " + std::to_string(base::kJsonDepthMax) + " levels, or contains itself", {}};
    if (out_.size() > max_) throw Unfit{"is larger than " + std::to_string(max_ >> 10) + " KiB as JSON", {}};
    switch (lua_type(lua_, index)) {
      case LUA_TNIL:
      case LUA_TLIGHTUSERDATA:
        out_ += "null";
        return;
      case LUA_TBOOLEAN:
        out_ += lua_toboolean(lua_, index) ? "true" : "false";
        return;
      case LUA_TNUMBER:
        return number(index);
      case LUA_TSTRING:
        return text(text_at(index));
      case LUA_TTABLE:
        return table(lua_absindex(lua_, index), depth);
      default:
        throw Unfit{std::string("is a ") + luaL_typename(lua_, index) + ", which JSON cannot hold", {}};
    }
  }

 private:
  std::string_view text_at(int index) {
    std::size_t size = 0;
    const char* data = lua_tolstring(lua_, index, &size);
    return {data, size};
  }

  void number(int index) {
    if (lua_isinteger(lua_, index)) {
      char buffer[24];
      const auto end =
          std::to_chars(buffer, buffer + sizeof buffer, static_cast<long long>(lua_tointeger(lua_, index)));
      out_.append(buffer, end.ptr);
      return;
    }
    const double value = lua_tonumber(lua_, index);
    if (!std::isfinite(value)) throw Unfit{"is no finite number (a division by zero?)", {}};
    base::append_json(value, out_);
  }

  void text(std::string_view bytes) {
    const bool plain = std::all_of(bytes.begin(), bytes.end(), [](char c) {
      return static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f && c != '"' && c != '\\';
    });
    if (plain) {
      out_ += '"';
      out_ += bytes;
      out_ += '"';
      return;
    }
    const std::string quoted = base::serialize(bytes);
    if (!base::is_json(quoted)) throw Unfit{"is text that is not UTF-8", {}};
    out_ += quoted;
  }

  void table(int index, std::size_t depth) {
    std::size_t count = 0;
    std::size_t names = 0;
    for (lua_pushnil(lua_); lua_next(lua_, index); lua_pop(lua_, 1)) {
      ++count;
      if (lua_type(lua_, -2) == LUA_TSTRING) {
        ++names;
      } else if (!lua_isinteger(lua_, -2)) {
        throw Unfit{std::string("has a ") + luaL_typename(lua_, -2) + " as a key", {}};
      }
    }
    if (names > 0 && names < count) throw Unfit{"has both list items and named members", {}};
    if (names > 0 || (count == 0 && !expression::is_marked_list(lua_, index))) return object(index, depth);
    list(index, count, depth);
  }

  void object(int index, std::size_t depth) {
    std::vector<std::string> keys;
    for (lua_pushnil(lua_); lua_next(lua_, index); lua_pop(lua_, 1)) keys.emplace_back(text_at(-2));
    std::sort(keys.begin(), keys.end());
    char separator = '{';
    for (const auto& key : keys) {
      out_ += separator;
      separator = ',';
      text(key);
      out_ += ':';
      lua_pushlstring(lua_, key.data(), key.size());
      lua_rawget(lua_, index);
      below([&] { value(-1, depth + 1); }, "." + key);
      lua_pop(lua_, 1);
    }
    out_ += keys.empty() ? "{}" : "}";
  }

  void list(int index, std::size_t count, std::size_t depth) {
    out_ += '[';
    for (std::size_t i = 1; i <= count; ++i) {
      if (i > 1) out_ += ',';
      if (lua_rawgeti(lua_, index, static_cast<lua_Integer>(i)) == LUA_TNIL)
        throw Unfit{"is a list without an item " + std::to_string(i) + " (put gw.null where nothing is known)", {}};
      below([&] { value(-1, depth + 1); }, "[" + std::to_string(i) + "]");
      lua_pop(lua_, 1);
    }
    out_ += ']';
  }

  template <typename Work>
  void below(Work work, const std::string& step) {
    try {
      work();
    } catch (Unfit& unfit) {
      unfit.path = step + unfit.path;
      throw;
    }
  }

  lua_State* lua_;
  std::size_t max_;
  std::string out_;
};

}  // namespace

void push_json(lua_State* lua, const json::value& value) {
  luaL_checkstack(lua, 4, "the value is nested too deep");
  switch (value.kind()) {
    case json::kind::array: {
      const auto& array = value.get_array();
      lua_createtable(lua, static_cast<int>(array.size()), 0);
      lua_Integer at = 0;
      for (const auto& item : array) {
        push_json(lua, item);
        lua_rawseti(lua, -2, ++at);
      }
      return expression::mark_list(lua, -1);
    }
    case json::kind::object: {
      const auto& object = value.get_object();
      lua_createtable(lua, 0, static_cast<int>(object.size()));
      for (const auto& member : object) {
        lua_pushlstring(lua, member.key().data(), member.key().size());
        push_json(lua, member.value());
        lua_rawset(lua, -3);
      }
      return;
    }
    default:
      return expression::push_json(lua, value);
  }
}

void push_json_text(lua_State* lua, std::string_view text) {
  json::value value;
  try {
    value = base::parse_json(text);
  } catch (const base::Error& error) {
    luaL_error(lua, "%s", error.what());
  }
  push_json(lua, value);
}

std::string json_text(lua_State* lua, int index, const char* what, std::size_t max) {
  std::string problem;
  try {
    Writer writer(lua, max);
    const int top = lua_gettop(lua);
    writer.value(index, 1);
    lua_settop(lua, top);
    return writer.take();
  } catch (const Unfit& unfit) {
    problem = std::string(what) + unfit.path + " " + unfit.why;
  }
  luaL_error(lua, "%s", problem.c_str());
  return {};
}

}  // namespace godwit::script
