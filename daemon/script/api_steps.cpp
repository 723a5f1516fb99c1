// The functions of gw that make a step.
#include <cctype>

#include "base/digest.hpp"
#include "base/time.hpp"
#include "script/api.hpp"
#include "script/arguments.hpp"
#include "script/execution.hpp"
#include "script/failure.hpp"
#include "script/step_calls.hpp"
#include "script/values.hpp"

namespace godwit::script {
namespace {

std::size_t value_max(lua_State* lua) {
  return State::of(lua).text_max();
}

// Nothing instead of null: for waits that ended without what they waited for.
int give_or_nil(lua_State* lua, int status, lua_KContext context) {
  give_output(lua, status, context);
  if (lua_type(lua, -1) == LUA_TTABLE) {
    lua_getfield(lua, -1, "payload");
    lua_insert(lua, -2);
    return 2;
  }
  lua_pushnil(lua);
  lua_pushliteral(lua, "timeout");
  return 2;
}

int give_approval(lua_State* lua, int status, lua_KContext context) {
  give_output(lua, status, context);
  if (lua_type(lua, -1) != LUA_TTABLE) return 1;
  lua_getfield(lua, -1, "approved");
  lua_insert(lua, -2);
  return 2;
}

// What a step is called when the script gives it no name: "flight-search/1.search" is "flight-search.search".
std::string name_of(const std::string& uses) {
  const std::size_t slash = uses.find('/');
  const std::size_t dot = uses.find('.', slash == std::string::npos ? 0 : slash);
  if (slash == std::string::npos) return uses;
  return uses.substr(0, slash) + (dot == std::string::npos ? "" : uses.substr(dot));
}

std::string input_text(lua_State* lua, int index, const char* what) {
  if (lua_isnoneornil(lua, index)) return "{}";
  if (lua_type(lua, index) != LUA_TTABLE)
    luaL_error(lua, "%s must be a table, not a %s", what, luaL_typename(lua, index));
  std::string text = json_text(lua, index, what, value_max(lua));
  return text == "[]" ? "{}" : text;
}

// `uses` is made; arguments and options stand at `index` and after it.
int ask_call(lua_State* lua, const char* function, std::string uses, std::string name, int index) {
  lua_settop(lua, index + 1);
  const std::string what = "the arguments of " + uses;
  Execution::Ask ask;
  ask.input = input_text(lua, index, what.c_str());
  check_options(lua, index + 1, function, "godwit.CallOptions");
  const std::string own = take_name(lua, index + 1, function);
  ask.named = !own.empty() || !name.empty();
  ask.name = !own.empty() ? own : !name.empty() ? name : name_of(uses);
  ask.options = options_text(lua, index + 1, function);
  ask.uses = std::move(uses);
  return Execution::of(lua).ask(lua, std::move(ask), 0, give_output);
}

int call(lua_State* lua) {
  std::string uses = checked_text(lua, 1, "call", "what is called");
  int arguments = 2;
  if (lua_type(lua, 2) == LUA_TSTRING) {
    uses += "." + checked_text(lua, 2, "call", "the method");
    arguments = 3;
  }
  return ask_call(lua, "call", std::move(uses), {}, arguments);
}

int stage(lua_State* lua) {
  return ask_call(lua, "stage", checked_text(lua, 2, "stage", "what is called"), checked_name(lua, 1, "stage"), 3);
}

// A duration, or the instant until which it sleeps.
int sleep(lua_State* lua) {
  const auto until = lua_type(lua, 1) == LUA_TSTRING ? base::parse_instant(lua_tostring(lua, 1)) : std::nullopt;
  Execution::Ask ask;
  ask.kind = "sleep";
  ask.named = !lua_isnoneornil(lua, 2);
  ask.name = ask.named ? checked_name(lua, 2, "sleep") : "sleep";
  ask.input = until ? "{\"until\":\"" + base::format_instant(*until) + "\"}"
                    : "{\"for\":\"" + duration_at(lua, 1, "sleep") + "\"}";
  return Execution::of(lua).ask(lua, std::move(ask), 0, give_output);
}

int wait(lua_State* lua) {
  const std::string signal = checked_name(lua, 1, "wait");
  lua_settop(lua, 2);
  check_options(lua, 2, "wait", "godwit.WaitOptions");
  const std::string own = take_name(lua, 2, "wait");
  Execution::Ask ask;
  ask.kind = "wait";
  ask.name = own.empty() ? signal : own;
  ask.named = !own.empty();
  ask.uses = signal;
  ask.input = options_text(lua, 2, "wait");
  return Execution::of(lua).ask(lua, std::move(ask), 0, give_or_nil);
}

int approve(lua_State* lua) {
  Execution::Ask ask;
  ask.kind = "approve";
  ask.name = checked_name(lua, 1, "approve");
  ask.named = true;
  lua_settop(lua, 2);
  check_options(lua, 2, "approve", "godwit.ApproveOptions");
  ask.input = options_text(lua, 2, "approve");
  return Execution::of(lua).ask(lua, std::move(ask), 0, give_approval);
}

int child(lua_State* lua) {
  Execution::Ask ask;
  ask.kind = "child";
  ask.uses = checked_name(lua, 1, "child");
  lua_settop(lua, 3);
  ask.input = input_text(lua, 2, "the parameters of the child");
  check_options(lua, 3, "child", "godwit.ChildOptions");
  const std::string own = take_name(lua, 3, "child");
  ask.name = own.empty() ? ask.uses : own;
  ask.named = !own.empty();
  ask.options = options_text(lua, 3, "child");
  return Execution::of(lua).ask(lua, std::move(ask), 0, give_output);
}

int sql(lua_State* lua) {
  Execution::Ask ask;
  ask.kind = "sql";
  const std::string statement = luaL_checkstring(lua, 1);
  lua_settop(lua, 3);
  lua_createtable(lua, 0, 2);
  lua_pushlstring(lua, statement.data(), statement.size());
  lua_setfield(lua, -2, "statement");
  if (!lua_isnil(lua, 2)) {
    lua_pushvalue(lua, 2);
    lua_setfield(lua, -2, "args");
  }
  ask.input = json_text(lua, -1, "the arguments of gw.sql", value_max(lua));
  check_options(lua, 3, "sql", "godwit.SqlOptions");
  const std::string own = take_name(lua, 3, "sql");
  ask.name = own.empty() ? "sql" : own;
  ask.named = !own.empty();
  ask.options = options_text(lua, 3, "sql");
  return Execution::of(lua).ask(lua, std::move(ask), 0, give_output);
}

int continue_as(lua_State* lua) {
  End end;
  lua_settop(lua, 2);
  end.next_params = input_text(lua, 1, "the parameters of the next run");
  end.result = json_text(lua, 2, "the result", value_max(lua));
  Execution::of(lua).end_with(lua, std::move(end));
  return 0;
}

int memo(lua_State* lua) {
  Execution& execution = Execution::of(lua);
  const std::string name = checked_name(lua, 1, "memo");
  luaL_checktype(lua, 2, LUA_TFUNCTION);
  const std::int64_t hash = base::sha256_prefix("memo");
  if (const auto known = execution.find_note(lua, name, hash)) {
    push_json_text(lua, *known);
    return 1;
  }
  lua_settop(lua, 2);
  {
    const Execution::Aside aside(execution, execution.current().path + "\nmemo\n" + name);
    lua_call(lua, 0, 1);
  }
  // What is given back is what a later life will get.
  std::string value = json_text(lua, -1, ("the value of memo " + name).c_str(), value_max(lua));
  push_json_text(lua, value);
  execution.add_note(lua, name, hash, std::move(value));
  return 1;
}

int emit(lua_State* lua) {
  Execution& execution = Execution::of(lua);
  const std::string topic = checked_text(lua, 1, "emit", "the topic");
  luaL_checktype(lua, 2, LUA_TTABLE);
  const bool many = lua_rawlen(lua, 2) > 0;
  std::vector<model::script::EmittedRow> rows;
  std::string all;
  const lua_Integer count = many ? static_cast<lua_Integer>(lua_rawlen(lua, 2)) : 1;
  for (lua_Integer i = 1; i <= count; ++i) {
    if (many) {
      lua_rawgeti(lua, 2, i);
    } else {
      lua_pushvalue(lua, 2);
    }
    rows.push_back({topic, json_text(lua, -1, "the row", value_max(lua))});
    all += rows.back().row + '\n';
    lua_pop(lua, 1);
  }
  const std::int64_t hash = base::sha256_prefix("emit\n" + topic + "\n" + all);
  const std::string name = "emit." + topic;
  if (!execution.find_note(lua, name, hash))
    execution.add_note(lua, name, hash, std::to_string(rows.size()), std::move(rows));
  return 0;
}

int done(lua_State* lua) {
  End end;
  lua_settop(lua, 1);
  end.result = json_text(lua, 1, "the result", value_max(lua));
  Execution::of(lua).end_with(lua, std::move(end));
  return 0;
}

int fail(lua_State* lua) {
  model::Failure failure{"failed", luaL_checkstring(lua, 1), false, {}};
  if (!lua_isnoneornil(lua, 2)) {
    failure.code = failure.message;
    failure.message = luaL_checkstring(lua, 2);
  }
  push_failure(lua, {}, failure);
  return lua_error(lua);
}

int finish_try(lua_State* lua, int status, lua_KContext) {
  if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(lua);
  State::of(lua).pass_on_stop(lua, status);
  Execution::of(lua).caught();
  std::string step;
  const model::Failure failure = failure_at(lua, -1, step);
  lua_pushboolean(lua, 0);
  push_failure(lua, step, failure);
  return 2;
}

int protected_try(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TFUNCTION);
  lua_pushboolean(lua, 1);
  lua_insert(lua, 1);
  return finish_try(lua, lua_pcallk(lua, lua_gettop(lua) - 2, LUA_MULTRET, 0, 0, finish_try), 0);
}

}  // namespace

std::vector<ApiFunction> step_functions() {
  const ApiField options{"opts", "godwit.CallOptions?", "how it is done"};
  return {
      {"call",
       "Calls a method of a provider: one durable step. gw.call(\"mail.send\", args) is the same as gw.call(\"mail\", "
       "\"send\", args). Raises {code, message, step} when it has failed for good.",
       {{"provider", "string", "a provider, or a contract such as \"flight-search/1\""},
        {"method", "string", "the method"},
        {"args", "table?", "its arguments"},
        options},
       "any",
       "uses, with",
       call},
      {"stage",
       "Calls a method as the step `name`: what a stage without foreach is in YAML.",
       {{"name", "string", "of the step"},
        {"uses", "string", "\"flights.rank_group\""},
        {"args", "table?", "its arguments"},
        options},
       "any",
       "stages.<name>",
       stage},
      {"sleep",
       "Waits. The run holds nothing meanwhile, however long it is; a restart does not make it longer.",
       {{"duration", "string|number", "\"24h\", seconds, or an instant such as \"2026-05-01T08:00:00Z\""},
        {"name", "string?", "of the step"}},
       "table",
       "sleep",
       sleep},
      {"wait",
       "Waits for a signal (`godwit signal RUN NAME JSON`) and gives what came with it, and {payload, by, at}; nil "
       "when the "
       "time is over.",
       {{"signal", "string", "its name"}, {"opts", "godwit.WaitOptions?", "how long"}},
       "any, table|string",
       "wait_signal",
       wait},
      {"approve",
       "Waits until a person approves or refuses; gives true or false, and {approved, by, comment}.",
       {{"name", "string", "of the step"}, {"opts", "godwit.ApproveOptions?", "who and how long"}},
       "boolean, table",
       "approve",
       approve},
      {"child",
       "Runs another job and gives its result. It is cancelled with this run.",
       {{"job", "string", "its name"}, {"params", "table?", "its parameters"}, {"opts", "godwit.ChildOptions?", "how"}},
       "any",
       "run",
       child},
      {"sql",
       "Executes a statement on the daemon's own database, committed in the transaction that records the step: never "
       "without it, never twice. Gives {rows, count}.",
       {{"statement", "string", "with $1, $2 for the values"},
        {"args", "any[]?", "the values"},
        {"opts", "godwit.SqlOptions?", "how it is done"}},
       "table",
       "uses: sql.exec",
       sql},
      {"continue_as",
       "Ends the run, and another run of the job goes on with these parameters: both in one transaction. For what "
       "never "
       "ends, such as a loop over days.",
       {{"params", "table", "of the next run"}, {"result", "any?", "of this run"}},
       "",
       "continue_as",
       continue_as},
      {"memo",
       "Computes a value once; a later life of the run gets the recorded value. For work that costs more than a "
       "commit. "
       "No steps inside.",
       {{"name", "string", "of the step"}, {"fn", "fun(): any", "computes it"}},
       "any",
       "",
       memo},
      {"emit",
       "Writes rows to godwit.emitted, once, whatever happens to the run.",
       {{"topic", "string", "under which they are found"}, {"rows", "table", "one row or a list of rows"}},
       "",
       "emit",
       emit},
      {"done",
       "Ends the run with this result, from wherever it is called.",
       {{"result", "any?", "the run's result"}},
       "",
       "result",
       done},
      {"fail",
       "Raises an error, which fails the run unless gw.try catches it.",
       {{"code", "string", "short and stable; may be left out"}, {"message", "string?", "a sentence"}},
       "",
       "",
       fail},
      {"try",
       "Calls fn; gives true and its results, or false and {code, message, step}. Budgets and cancellation pass "
       "through.",
       {{"fn", "function", "what may fail"}, {"...", "any", "its arguments"}},
       "boolean, any",
       "",
       protected_try},
  };
}

}  // namespace godwit::script
