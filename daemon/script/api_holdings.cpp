// The functions of gw that get hold of something: locks and files.
#include "base/base64.hpp"
#include "base/json_text.hpp"
#include "base/utf8.hpp"
#include "script/api.hpp"
#include "script/arguments.hpp"
#include "script/execution.hpp"
#include "script/step_calls.hpp"

namespace godwit::script {
namespace {

// Keeps bytes as an artifact: text as it is, others as base64, since JSON has none.
int artifact(lua_State* lua) {
  std::size_t size = 0;
  const std::string name = checked_text(lua, 1, "artifact", "the name");
  const char* data = luaL_checklstring(lua, 2, &size);
  const std::string_view bytes(data, size);
  lua_settop(lua, 3);
  check_options(lua, 3, "artifact", "godwit.ArtifactOptions");
  json::object input{{"name", name}};
  if (base::is_utf8(bytes))
    input["text"] = bytes;
  else
    input["base64"] = base::base64(bytes);
  if (lua_getfield(lua, 3, "media_type") != LUA_TNIL) input["media_type"] = luaL_checkstring(lua, -1);
  Execution::Ask ask;
  const std::string own = take_name(lua, 3, "artifact");
  ask.name = own.empty() ? "artifact.put" : own;
  ask.named = !own.empty();
  ask.uses = "artifact.put";
  ask.input = base::serialize(input);
  return Execution::of(lua).ask(lua, std::move(ask), 0, give_output);
}

int give_content(lua_State* lua, int status, lua_KContext context) {
  give_output(lua, status, context);
  if (lua_type(lua, -1) != LUA_TTABLE || lua_getfield(lua, -1, "base64") != LUA_TSTRING) {
    lua_getfield(lua, -2, "text");
    return 1;
  }
  std::size_t size = 0;
  const char* text = lua_tolstring(lua, -1, &size);
  const auto bytes = base::from_base64({text, size});
  if (!bytes) return luaL_error(lua, "gw.content: the step gave no base64");
  lua_pushlstring(lua, bytes->data(), bytes->size());
  return 1;
}

int content(lua_State* lua) {
  if (lua_type(lua, 1) == LUA_TTABLE) {
    lua_getfield(lua, 1, "artifact");
    lua_replace(lua, 1);
  }
  lua_settop(lua, 2);
  check_options(lua, 2, "content", "godwit.ContentOptions");
  Execution::Ask ask;
  const std::string own = take_name(lua, 2, "content");
  ask.uses = "artifact.get";
  ask.name = own.empty() ? ask.uses : own;
  ask.named = !own.empty();
  ask.input = base::serialize(json::object{{"artifact", checked_text(lua, 1, "content", "the artifact")}});
  return Execution::of(lua).ask(lua, std::move(ask), 0, give_content);
}

// The function has ended, in whatever way: the lock is free.
int unlocked(lua_State* lua, int status, lua_KContext) {
  Execution& execution = Execution::of(lua);
  if (status != LUA_OK && status != LUA_YIELD) {
    State::of(lua).pass_on_stop(lua, status);
    execution.abandon_loop();
    execution.let_go();
    return lua_error(lua);
  }
  execution.let_go();
  return lua_gettop(lua) - 1;
}

int locked(lua_State* lua, int status, lua_KContext context) {
  give_output(lua, status, context);
  lua_getfield(lua, -1, "lock");
  Execution::of(lua).hold(lua_tostring(lua, -1));
  lua_pop(lua, 1);
  if (lua_isnil(lua, 3)) return 1;
  lua_settop(lua, 3);
  lua_replace(lua, 1);
  lua_settop(lua, 1);
  lua_pushvalue(lua, 1);
  return unlocked(lua, lua_pcallk(lua, 0, LUA_MULTRET, 0, 0, unlocked), 0);
}

// lock(name[, opts][, fn])
int lock(lua_State* lua) {
  const std::string name = checked_text(lua, 1, "lock", "the name");
  if (lua_type(lua, 2) == LUA_TFUNCTION) {
    lua_settop(lua, 2);
    lua_pushnil(lua);
    lua_insert(lua, 2);
  }
  lua_settop(lua, 3);
  if (!lua_isnil(lua, 3)) luaL_checktype(lua, 3, LUA_TFUNCTION);
  check_options(lua, 2, "lock", "godwit.LockOptions");
  if (Execution::of(lua).holds(name))
    return luaL_error(lua, "gw.lock: '%s' is locked here already, and would wait for itself", name.c_str());
  const std::string own = take_name(lua, 2, "lock");
  Execution::Ask ask;
  ask.kind = "lock";
  ask.name = own.empty() ? "lock" : own;
  ask.named = true;
  ask.uses = name;
  ask.input = options_text(lua, 2, "lock");
  return Execution::of(lua).ask(lua, std::move(ask), 0, locked);
}

}  // namespace

std::vector<ApiFunction> holding_functions() {
  return {
      {"artifact",
       "Keeps a text or bytes as an artifact, once by its content: one step. Gives {artifact = \"sha256:...\", size, "
       "name, media_type}, which may stand in results and arguments.",
       {{"name", "string", "for people: \"report.csv\""},
        {"content", "string", "text or bytes, at most 16 MiB"},
        {"opts", "godwit.ArtifactOptions?", "its type"}},
       "table",
       "uses: artifact.put",
       artifact},
      {"content",
       "The content of an artifact, as text or bytes: one step.",
       {{"artifact", "string|table", "\"sha256:...\", or what gw.artifact or another step gave"},
        {"opts", "godwit.ContentOptions?", "how"}},
       "string",
       "uses: artifact.get",
       content},
      {"lock",
       "Waits until it has the lock of this name, which no other run (or branch) has meanwhile. With a function: calls "
       "it "
       "and gives its results, and the lock is free when it has ended. Else the lock is free when the branch ends, or "
       "the "
       "run.",
       {{"name", "string", "of the lock, for all jobs: \"tenant/acme\""},
        {"opts", "godwit.LockOptions?", "how many, and how long it is waited for; may be left out"},
        {"fn", "(fun(): any)?", "what is done with the lock"}},
       "any",
       "lock",
       lock},
  };
}

}  // namespace godwit::script
