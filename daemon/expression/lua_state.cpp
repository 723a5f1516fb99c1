#include "expression/lua_state.hpp"

#include <cstdlib>
#include <limits>
#include <stdexcept>

#include "base/suggest.hpp"
#include "expression/functions.hpp"
#include "expression/token.hpp"
#include "expression/values.hpp"

namespace godwit::expression {
namespace {

// What Lua calls the chunk in its messages: "${}:1: attempt to ...".
constexpr std::string_view kChunk = "${}:";
constexpr int kHookInterval = 200;
constexpr std::size_t kSourceMax = 64u << 10;
// Garbage beyond this is collected right after the evaluation that left it.
constexpr std::size_t kGarbageMax = 1u << 20;
constexpr const char* kWorld = "godwit.world";
constexpr const char* kFunctions = "godwit.functions";

void hook(lua_State* lua, lua_Debug*) {
  Heap::of(lua).charge(lua, kHookInterval);
}

// Every global name that an expression uses comes through here.
int world_index(lua_State* lua) {
  lua_getfield(lua, LUA_REGISTRYINDEX, kFunctions);
  lua_pushvalue(lua, 2);
  if (lua_rawget(lua, -2) != LUA_TNIL) return 1;
  const Scope* scope = LuaState::of(lua).scope();
  std::size_t size = 0;
  const char* name = lua_type(lua, 2) == LUA_TSTRING ? lua_tolstring(lua, 2, &size) : nullptr;
  if (!name || !scope) return luaL_error(lua, "only names are known here");
  if (const Scope::Root* root = scope->find({name, size})) {
    push_root(lua, *root);
    return 1;
  }
  std::vector<std::string> known = scope->names();
  known.insert(known.end(), function_names().begin(), function_names().end());
  const std::string hint = base::suggest({name, size}, known);
  return luaL_error(lua, "unknown name '%s'%s%s", name, hint.empty() ? "" : "; ", hint.c_str());
}

int world_write(lua_State* lua) {
  return luaL_error(lua, "global variables cannot be set; use local");
}

void add_world(lua_State* lua) {
  lua_newtable(lua);
  add_functions(lua, expression_libraries());
  lua_setfield(lua, LUA_REGISTRYINDEX, kFunctions);
  lua_newuserdatauv(lua, 0, 0);
  lua_newtable(lua);
  lua_pushcfunction(lua, world_index);
  lua_setfield(lua, -2, "__index");
  lua_pushcfunction(lua, world_write);
  lua_setfield(lua, -2, "__newindex");
  lua_setmetatable(lua, -2);
  lua_setfield(lua, LUA_REGISTRYINDEX, kWorld);
}

int set_up(lua_State* lua) {
  add_value_types(lua);
  add_world(lua);
  return 0;
}

// Hands Lua one byte at a time, so that the number of bytes taken tells where a syntax error is.
struct Reader {
  std::string_view source;
  std::size_t taken = 0;
  bool started = false;

  static const char* read(lua_State*, void* self_pointer, std::size_t* size) {
    auto& self = *static_cast<Reader*>(self_pointer);
    constexpr std::string_view kReturn = "return ";
    if (!self.started) {
      self.started = true;
      *size = kReturn.size();
      return kReturn.data();
    }
    const bool more = self.taken < self.source.size();
    *size = more ? 1 : 0;
    ++self.taken;
    return more ? self.source.data() + self.taken - 1 : nullptr;
  }
};

std::size_t offset_of_error(const Reader& reader, const std::string& message) {
  const std::size_t last = reader.source.find_last_not_of(" \t\r\n");
  const std::size_t end = last == std::string_view::npos ? 0 : last + 1;
  const bool unfinished = message.starts_with("unfinished");
  if (!unfinished && (message.ends_with("near <eof>") || reader.taken < 2)) return end;
  // Lua has read the token it complains about and one byte more.
  const std::size_t inside = std::min(std::max<std::size_t>(reader.taken, 2) - 2, end == 0 ? 0 : end - 1);
  for (const Token& token : tokens(reader.source))
    if (token.begin <= inside && inside < token.begin + token.source.size()) return token.begin;
  return inside;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// Lua's message without the chunk's name; `line` is the line of the expression it names, 1 when it names none.
std::string clean_message(std::string message, int& line) {
  line = 1;
  if (message.starts_with(kChunk)) {
    const std::size_t end = message.find(": ", kChunk.size());
    if (end != std::string::npos) {
      line = std::max(1, std::atoi(message.c_str() + kChunk.size()));
      message.erase(0, end + 2);
    }
  }
  // The only light userdata there is stands for JSON's null.
  replace_all(message, "a userdata value", "a null value");
  replace_all(message, "two userdata values", "two null values");
  return message;
}

base::Place place_in(const model::Expression& source, std::size_t offset) {
  base::Place place = source.place;
  if (place.line == 0) return place;
  const std::string_view before = std::string_view(source.source).substr(0, offset);
  const std::size_t newline = before.rfind('\n');
  place.line += static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  place.column =
      newline == std::string_view::npos ? place.column + static_cast<int>(offset) : static_cast<int>(offset - newline);
  return place;
}

std::string shown(const std::string& source) {
  constexpr std::size_t kShown = 160;
  return "${" + (source.size() <= kShown ? source : source.substr(0, kShown) + "...") + "}";
}

}  // namespace

LuaState::LuaState(const Budget& budget) : budget_(budget), used_max_(std::numeric_limits<std::size_t>::max()) {
  lua_ = lua_newstate(&LuaState::allocate, this);
  if (!lua_) throw std::bad_alloc();
  attach(lua_);
  instructions_left_ = std::numeric_limits<std::int64_t>::max();
  look_at_ = base::Tick::max();
  lua_pushcfunction(lua_, set_up);
  if (lua_pcall(lua_, 0, 0, 0) != LUA_OK) {
    const std::string why = lua_tostring(lua_, -1);
    lua_close(lua_);
    throw std::runtime_error("the expression language does not start: " + why);
  }
  lua_sethook(lua_, hook, LUA_MASKCOUNT, kHookInterval);
}

LuaState::~LuaState() {
  lua_close(lua_);
}

void* LuaState::allocate(void* self_pointer, void* old, std::size_t old_size, std::size_t new_size) {
  auto& self = *static_cast<LuaState*>(self_pointer);
  const bool is_text = !old && old_size == LUA_TSTRING;
  if (!old) old_size = 0;
  if (new_size == 0) {
    std::free(old);
    self.used_ -= old_size;
    return nullptr;
  }
  if (new_size > old_size) {
    self.text_too_long_ = is_text && new_size > self.budget_.text && self.scope_;
    if (self.text_too_long_ || self.used_ + (new_size - old_size) > self.used_max_) return nullptr;
  }
  void* result = std::realloc(old, new_size);
  if (result) self.used_ += new_size - old_size;
  return result;
}

void LuaState::start(const Scope* scope) {
  ++evaluation_;
  scope_ = scope;
  stop_.clear();
  text_too_long_ = false;
  instructions_left_ = budget_.instructions;
  look_at_ = base::Tick::min();
  cpu_end_.reset();
  unclocked_ = 0;
  used_at_start_ = used_;
  used_max_ = used_ + budget_.memory;
}

// Not before as much time has passed as is left is there a reason to ask for the processor's, which takes a call of the
// kernel.
bool LuaState::is_out_of_time() {
  const auto now = base::tick();
  if (now < look_at_) return false;
  const auto used = base::thread_cpu_time();
  if (!cpu_end_) cpu_end_ = used + budget_.time;
  if (used > *cpu_end_) return true;
  look_at_ = now + (*cpu_end_ - used);
  return false;
}

void LuaState::charge(lua_State* lua, std::int64_t work) {
  instructions_left_ -= work;
  unclocked_ += work;
  if (instructions_left_ < 0) {
    stop_ = "it takes more than " + std::to_string(budget_.instructions) + " instructions";
  } else if (unclocked_ >= kHookInterval) {
    unclocked_ = 0;
    if (is_out_of_time()) stop_ = "it takes longer than " + base::format_duration(budget_.time);
  }
  if (!stop_.empty()) luaL_error(lua, "stopped");
}

int LuaState::compile(const model::Expression& source) {
  if (source.source.size() > kSourceMax)
    throw SyntaxError("an expression is longer than " + std::to_string(kSourceMax) + " bytes", source.place, 0);
  if (tokens(source.source).size() == 1) throw SyntaxError("an expression is empty", source.place, 0);
  start(nullptr);
  Reader reader{source.source};
  const int status = lua_load(lua_, &Reader::read, &reader, "=${}", "t");
  used_max_ = std::numeric_limits<std::size_t>::max();
  if (status == LUA_OK) return luaL_ref(lua_, LUA_REGISTRYINDEX);
  const char* raw = lua_tostring(lua_, -1);
  int line = 1;
  const std::string message = clean_message(raw ? raw : "not Lua", line);
  lua_settop(lua_, 0);
  const std::size_t offset = offset_of_error(reader, message);
  throw SyntaxError("the expression " + shown(source.source) + " is wrong: " + message, place_in(source, offset),
                    offset);
}

void LuaState::release(int function) {
  luaL_unref(lua_, LUA_REGISTRYINDEX, function);
}

json::value LuaState::call(int function, const Scope& scope, const model::Expression& source, std::size_t depth) {
  lua_rawgeti(lua_, LUA_REGISTRYINDEX, function);
  // An expression may have assigned to _ENV, which is a variable of its function: it starts afresh each time.
  lua_getfield(lua_, LUA_REGISTRYINDEX, kWorld);
  lua_setupvalue(lua_, -2, 1);
  start(&scope);
  const int status = lua_pcall(lua_, 0, LUA_MULTRET, 0);
  used_max_ = std::numeric_limits<std::size_t>::max();
  instructions_left_ = std::numeric_limits<std::int64_t>::max();
  if (status != LUA_OK) fail(source, status);
  json::value result;
  try {
    if (lua_gettop(lua_) > 1) throw std::runtime_error("it gives several values; put them in a table: ${ {a, b} }");
    if (lua_gettop(lua_) == 1) result = to_json(lua_, 1, budget_.output, depth);
  } catch (const std::runtime_error& error) {
    lua_settop(lua_, 0);
    finish();
    throw base::refused("the expression " + shown(source.source) + " failed: " + error.what(), source.place);
  }
  lua_settop(lua_, 0);
  finish();
  return result;
}

void LuaState::finish() {
  scope_ = nullptr;
  if (used_ > used_at_start_ + kGarbageMax) lua_gc(lua_, LUA_GCCOLLECT);
}

void LuaState::fail(const model::Expression& source, int status) {
  int line = 1;
  std::string message = stopped_because(status);
  if (message.empty()) {
    const char* raw = lua_type(lua_, -1) == LUA_TSTRING ? lua_tostring(lua_, -1) : nullptr;
    message = raw ? clean_message(raw, line) : "it raised an error that is no text";
  }
  lua_settop(lua_, 0);
  finish();
  base::Place place = source.place;
  if (line > 1 && place.line > 0) {
    place.line += line - 1;
    place.column = 0;
  }
  throw base::refused("the expression " + shown(source.source) + " failed: " + message, std::move(place));
}

std::string LuaState::stopped_because(int status) const {
  if (!stop_.empty()) return stop_;
  if (status != LUA_ERRMEM) return {};
  const std::size_t bytes = text_too_long_ ? budget_.text : budget_.memory;
  return (text_too_long_ ? "it makes a text of more than " : "it needs more memory than ") +
         std::to_string(bytes >> 10) + " KiB";
}

}  // namespace godwit::expression
