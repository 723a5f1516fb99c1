// The functions of gw that make no step.
#include <array>

#include "expression/functions.hpp"
#include "expression/values.hpp"
#include "script/api.hpp"
#include "script/arguments.hpp"
#include "script/execution.hpp"
#include "script/failure.hpp"
#include "script/values.hpp"

namespace godwit::script {
namespace {

int job(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  if (!Execution::of(lua).loading()) return luaL_error(lua, "gw.job is what a file gives when it is read, not a step");
  check_options(lua, 1, "job", "godwit.Job");
  lua_settop(lua, 1);
  luaL_setmetatable(lua, kJobMark);
  return 1;
}

int now(lua_State* lua) {
  const base::Instant at = Execution::of(lua).current().now;
  lua_pushstring(lua, base::format_instant(at).c_str());
  lua_pushnumber(lua, static_cast<lua_Number>(base::to_microseconds(at)) / 1e6);
  return 2;
}

std::uint64_t draw(lua_State* lua) {
  return Execution::of(lua).draw();
}

int uuid(lua_State* lua) {
  const std::uint64_t high = draw(lua);
  const std::uint64_t low = draw(lua);
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%08x-%04x-4%03x-%04x-%012llx", static_cast<unsigned>(high >> 32),
                static_cast<unsigned>(high >> 16 & 0xffff), static_cast<unsigned>(high & 0xfff),
                static_cast<unsigned>((low >> 48 & 0x3fff) | 0x8000),
                static_cast<unsigned long long>(low & 0xffffffffffff));
  lua_pushstring(lua, text.data());
  return 1;
}

int run_id(lua_State* lua) {
  lua_pushstring(lua, std::to_string(Execution::of(lua).facts().id).c_str());
  return 1;
}

int progress(lua_State* lua) {
  Execution& execution = Execution::of(lua);
  luaL_checktype(lua, 1, LUA_TTABLE);
  std::string text = json_text(lua, 1, "the fields of progress", 64u << 10);
  if (text.front() != '{') return luaL_error(lua, "gw.progress: a table with names is needed, as in {best = 12}");
  execution.set_progress(std::move(text));
  return 0;
}

int log(lua_State* lua) {
  static const std::array<const char*, 5> kLevels{"debug", "info", "warning", "error", nullptr};
  std::string level = "info";
  int at = 1;
  if (lua_type(lua, 2) == LUA_TSTRING) {
    const std::string word = luaL_checkstring(lua, 1);
    level = word == "warn" ? "warning"
                           : kLevels[static_cast<std::size_t>(luaL_checkoption(lua, 1, nullptr, kLevels.data()))];
    at = 2;
  }
  std::string text = luaL_checkstring(lua, at);
  std::string fields;
  if (!lua_isnoneornil(lua, at + 1)) fields = json_text(lua, at + 1, "the fields of the log line", 64u << 10);
  if (!fields.empty() && fields.front() != '{') return luaL_error(lua, "gw.log: the fields are a table with names");
  Execution::of(lua).log(std::move(level), std::move(text), std::move(fields));
  return 0;
}

lua_CFunction language_function(const char* name) {
  for (const auto* list : {&expression::list_functions(), &expression::value_functions()})
    for (const auto& function : *list)
      if (std::string_view(function.name) == name) return function.call;
  return nullptr;
}

}  // namespace

int random_of(lua_State* lua) {
  const std::uint64_t number = draw(lua);
  if (lua_gettop(lua) == 0) {
    lua_pushnumber(lua, static_cast<lua_Number>(number >> 11) * 0x1p-53);
    return 1;
  }
  const lua_Integer low = lua_gettop(lua) > 1 ? luaL_checkinteger(lua, 1) : 1;
  const lua_Integer high = luaL_checkinteger(lua, lua_gettop(lua) > 1 ? 2 : 1);
  luaL_argcheck(lua, low <= high, lua_gettop(lua) > 1 ? 2 : 1, "the interval is empty");
  const auto width = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
  const std::uint64_t offset = width == 0 ? number : number % width;
  lua_pushinteger(lua, static_cast<lua_Integer>(static_cast<std::uint64_t>(low) + offset));
  return 1;
}

std::vector<ApiFunction> value_functions() {
  return {
      {"job",
       "What a script gives: `return gw.job { name = ..., run = function(params) ... end }`.",
       {{"job", "godwit.Job", "the job"}},
       "godwit.Job",
       "the file",
       job},
      {"now",
       "The time of the newest thing this branch of the run has seen (the end of its last step, or the submit), as RFC "
       "3339 text and as seconds since 1970. The same in every life of the run.",
       {},
       "string, number",
       "",
       now},
      {"random",
       "Like math.random; the same numbers in every life of the run, others in every run.",
       {{"m", "integer?", ""}, {"n", "integer?", ""}},
       "number",
       "",
       random_of},
      {"uuid", "A random UUID, the same in every life of the run.", {}, "string", "", uuid},
      {"dates",
       "The days from one to the other, both included, as \"2026-05-01\".",
       {{"from", "string", ""}, {"to", "string", ""}, {"step", "integer?", "days"}},
       "string[]",
       "dates() in ${}",
       language_function("dates")},
      {"run_id", "The number of the run, as text.", {}, "string", "run.id", run_id},
      {"array",
       "Makes a table a list, so that it stays one in JSON even when it is empty.",
       {{"list", "any[]?", ""}},
       "any[]",
       "array() in ${}",
       language_function("array")},
      {"progress",
       "Fields that `godwit show` and followers see. Not durable; the newest counts.",
       {{"fields", "table", "{best_price = 120}"}},
       "",
       "",
       progress},
      {"log",
       "A line for `godwit logs`. gw.log(text) is of level info.",
       {{"level", "\"debug\"|\"info\"|\"warning\"|\"error\"", "may be left out"},
        {"text", "string", ""},
        {"fields", "table?", "{code = 7}"}},
       "",
       "",
       log},
  };
}

}  // namespace godwit::script
