#include "script/api.hpp"

#include <stdexcept>

#include "base/suggest.hpp"
#include "expression/functions.hpp"

namespace godwit::script {

const std::vector<ApiFunction>& api() {
  static const std::vector<ApiFunction> kAll = [] {
    std::vector<ApiFunction> all;
    for (auto part : {step_functions(), holding_functions(), loop_functions(), value_functions()})
      for (auto& function : part) all.push_back(std::move(function));
    return all;
  }();
  return kAll;
}

const std::vector<ApiTable>& api_tables() {
  static const std::vector<ApiTable> kTables{
      {"godwit.Retry",
       "When a failed attempt is made again.",
       {{"attempts", "integer", "in all, the first one included"},
        {"backoff", "string?", "the first pause: \"2s\""},
        {"max", "string?", "the longest pause: \"1m\""},
        {"factor", "number?", "by which the pause grows, 2 when absent"},
        {"jitter", "number?", "0 to 1, 0.2 when absent"}}},
      {"godwit.Emit",
       "Rows for godwit.emitted, written in the transaction that records the step.",
       {{"to", "string", "the topic"},
        {"rows", "any", "one row or a list; may use ${output} and ${item} (the input)"}}},
      {"godwit.CallOptions",
       "How a step is done. The keys mean what they mean for a stage in YAML.",
       {{"name", "string?", "the name of the step; that of the method when absent"},
        {"limits", "table<string, integer|string|table>?", "what it takes of limits: {api = 1, tokens = {estimate = 2000}}"},
        {"provider_down", "\"wait\"|\"fail\"?", "what becomes of an attempt while its provider is not called; wait when absent"},
        {"retry", "godwit.Retry?", "the retry of the job when absent"},
        {"timeout", "string?", "of one attempt: \"30s\""},
        {"retry_safe", "boolean?",
         "whether it may be repeated when nobody knows how it ended; as its plugin says when absent"},
        {"output", "any?", "what is kept of the output: \"${ output.price }\", or a table of such"},
        {"emit", "godwit.Emit?", "rows to write with the step"},
        {"env", "table<string, string>?", "variables, beside those of the job; for methods that take `env`"}}},
      {"godwit.SqlOptions",
       "How a statement is executed.",
       {{"name", "string?", "the name of the step, \"sql\" when absent"},
        {"limits", "table<string, integer>?", "permits it takes while it runs"},
        {"retry", "godwit.Retry?", "when the database says that another try may go better"},
        {"timeout", "string?", "of one attempt: \"30s\""}}},
      {"godwit.ContentOptions",
       "How an artifact is read.",
       {{"name", "string?", "the name of the step, \"artifact.get\" when absent"}}},
      {"godwit.LockOptions",
       "How a lock is waited for.",
       {{"name", "string?", "the name of the step, \"lock\" when absent"},
        {"permits", "integer?", "how many may have it at once, 1 when absent"},
        {"timeout", "string?", "after this time the step fails with `timeout`"}}},
      {"godwit.ArtifactOptions",
       "What kind of a file it is.",
       {{"name", "string?", "the name of the step, \"artifact.put\" when absent"},
        {"media_type", "string?", "\"text/csv\"; text/plain or application/octet-stream when absent"}}},
      {"godwit.EachOptions",
       "How a loop goes over its items.",
       {{"parallel", "integer?", "items in flight at once, 32 when absent"},
        {"on_error", "\"fail\"|\"skip\"|\"record\"?",
         "what becomes of the loop when an item fails for good; record: every result is {item, index, state, output, "
         "error}"},
        {"fold", "table?",
         "{init, fn}: fn(acc, result, item, index) is called in the order of the items, and the loop gives the last "
         "acc"},
        {"key", "(fun(item: any): string|integer)?", "names an item's steps; its index (from 0) when absent"}}},
      {"godwit.FrontierOptions",
       "How a growing list is worked off.",
       {{"parallel", "integer?", "items in flight at once, 32 when absent"},
        {"on_error", "\"fail\"|\"skip\"|\"record\"?", "as for gw.each"},
        {"key", "(fun(item: any): string|integer)?", "items of the same key are one; the item itself when absent"},
        {"depth", "integer?", "how far from the first items it may grow"},
        {"max", "integer?", "how many items there may be, 100000 when absent; more are left out"}}},
      {"godwit.WaitOptions",
       "How a signal is waited for.",
       {{"timeout", "string?", "after this time the wait gives nil"},
        {"otherwise", "\"fail\"|\"go_on\"?", "\"fail\": the step fails with `timeout` instead"},
        {"name", "string?", "the name of the step; that of the signal when absent"}}},
      {"godwit.ApproveOptions",
       "Who may approve, and how long that is waited for.",
       {{"within", "string?", "after this time it counts as refused: \"24h\""},
        {"who", "string|string[]?", "users or groups that may approve; every operator when absent"},
        {"remind", "string?", "remind again after this time"},
        {"otherwise", "\"fail\"|\"go_on\"?", "\"fail\": a refusal fails the step, with `rejected` or `timeout`"},
        {"text", "string?", "what the person reads"}}},
      {"godwit.ChildOptions",
       "How another job is run.",
       {{"name", "string?", "the name of the step; that of the job when absent"},
        {"timeout", "string?", "how long its end is waited for"}}},
      {"godwit.Job",
       "A job. Keys that YAML jobs have too mean the same there.",
       {{"name", "string", "of the job"},
        {"run", "fun(params: table): any", "does the work; what it gives is the run's result"},
        {"description", "string?", "one line for people"},
        {"params", "table?",
         "JSON Schema of each parameter, or short: \"string\", \"date\", \"string[]\", \"integer?\""},
        {"types", "table?", "named schemas, for {[\"$ref\"] = name}"},
        {"checks", "table?", "{that = \"${...}\", message = ...}: what a schema cannot say"},
        {"timeout", "string?", "of the whole run"},
        {"limits", "table<string, integer>?", "semaphores the job declares; the operator's setting wins"},
        {"schedule", "table?", "when it runs by itself"},
        {"priority", "integer?", "-100 to 100; higher ones first"},
        {"queue", "string?", "in which its runs wait"},
        {"labels", "table<string, string>?", "for `godwit list --label`; may use ${params...}"},
        {"retain", "string?", "how long a run is kept after its end: \"30d\""},
        {"unique", "any?", "\"${ key }\", or {key = ..., otherwise = \"refuse\"|\"existing\"}: one run for each key"},
        {"concurrency", "any?",
         "\"${ key }\", or {key = ..., limit = 1, [\"then\"] = \"queue\"|\"skip\"|\"cancel_older\"}: so many runs of a "
         "key at a time"},
        {"retry", "godwit.Retry?", "of every call that says nothing else"},
        {"defaults", "table?", "{retry, timeout, limits} of every call that says nothing else"},
        {"env", "table<string, string>?", "for methods that take `env`, such as shell.run; may use ${params...}"},
        {"on_failure", "fun(outcome: table, params: table)?",
         "runs before the end of a run that failed is recorded; outcome is {state, result, error = {code, message, "
         "step}}"},
        {"on_success", "fun(outcome: table, params: table)?", "the same of one that succeeded"},
        {"on_cancel", "fun(outcome: table, params: table)?", "the same of one that was cancelled"},
        {"budget", "table?", "{memory = \"64MiB\", cpu = \"2s\", steps = 20000}: what the script may use"}}},
  };
  return kTables;
}

const ApiTable& api_table(const std::string& name) {
  for (const auto& table : api_tables())
    if (table.name == name) return table;
  throw std::logic_error("no options " + name);
}

void push_api(lua_State* lua) {
  lua_newtable(lua);
  for (const auto& function : api()) {
    lua_pushcfunction(lua, function.call);
    lua_setfield(lua, -2, function.name.c_str());
  }
  lua_pushlightuserdata(lua, nullptr);
  lua_setfield(lua, -2, "null");
  lua_createtable(lua, 0, 1);
  lua_pushcfunction(lua, [](lua_State* inner) {
    std::vector<std::string> names{"null"};
    for (const auto& function : api()) names.push_back(function.name);
    const char* name = lua_type(inner, 2) == LUA_TSTRING ? lua_tostring(inner, 2) : "?";
    const std::string hint = base::suggest(name, names);
    return luaL_error(inner, "gw has no '%s'%s%s", name, hint.empty() ? "" : "; ", hint.c_str());
  });
  lua_setfield(lua, -2, "__index");
  lua_setmetatable(lua, -2);
  expression::wrap_library(lua);
}

void check_options(lua_State* lua, int index, const char* function, const std::string& name) {
  if (lua_isnoneornil(lua, index)) {
    if (lua_gettop(lua) < index) lua_settop(lua, index);
    lua_newtable(lua);
    lua_replace(lua, index);
    return;
  }
  if (lua_type(lua, index) != LUA_TTABLE)
    luaL_error(lua, "gw.%s: the options must be a table, not a %s", function, luaL_typename(lua, index));
  const ApiTable& table = api_table(name);
  for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1)) {
    if (lua_type(lua, -2) != LUA_TSTRING)
      luaL_error(lua, "gw.%s: the options are named, as in {timeout = \"30s\"}", function);
    const std::string key = lua_tostring(lua, -2);
    std::vector<std::string> known;
    for (const auto& field : table.fields) known.push_back(field.name);
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string hint = base::suggest(key, known);
    luaL_error(lua, "gw.%s: unknown option '%s'%s%s", function, key.c_str(), hint.empty() ? "" : "; ", hint.c_str());
  }
}

}  // namespace godwit::script
