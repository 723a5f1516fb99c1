#include "script/execution.hpp"

#include <cstdio>

#include "base/digest.hpp"
#include "base/utf8.hpp"
#include "script/failure.hpp"
#include "script/sandbox.hpp"
#include "script/values.hpp"

namespace godwit::script {
namespace {

constexpr std::size_t kNameMax = 100;
constexpr std::size_t kMessageMax = 16u << 10;
constexpr std::size_t kLogLineMax = 16u << 10;
constexpr std::size_t kLogLineCost = 64;  // of a line, beside its text
constexpr std::size_t kLogBytesMax = 1u << 20;
// So the output of a step begins that took a lock.
constexpr std::string_view kLockOutput = "{\"lock\":";

std::int64_t hash_of(const std::string& kind, const std::string& uses, const std::string& input) {
  return base::sha256_prefix(kind + '\n' + uses + '\n' + input);
}

std::string hex(std::int64_t hash) {
  char text[9];
  std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(static_cast<std::uint64_t>(hash) >> 32));
  return text;
}

std::string full_path(const std::string& scope, const std::string& name) {
  return scope.empty() ? name : scope + "/" + name;
}

// A text for people, whatever a script made it of.
std::string cut(const std::string& text, std::size_t most) {
  if (text.size() <= most) return base::repaired_utf8(text);
  return base::repaired_utf8(std::string_view(text).substr(0, most)) + "... (" + std::to_string(text.size()) + " bytes)";
}

json::object side(const std::string& path, const std::string& version) {
  return {{"path", path}, {"version", version}};
}

}  // namespace

Execution::Execution(const model::ScriptBundle& bundle, const Budget& budget) : bundle_(bundle), state_(budget) {
  state_.owner = this;
  load();
  loading_ = false;
}

Execution::~Execution() = default;

Execution::Aside::Aside(Execution& execution, const std::string& seed)
    : execution_(execution),
      random_(static_cast<std::uint64_t>(base::sha256_prefix(execution.facts_.seed + '\n' + seed))),
      before_(std::exchange(execution.aside_, &random_)) {}

// --- loading

void Execution::load() {
  lua_State* lua = state_.lua();
  Scope& scope = open_scope(lua, nullptr, {});
  main_ = current_ = &scope;
  const auto refuse = [&](std::string message, const std::string& trace) {
    base::Place place{bundle_.file};
    split_place(message, place);
    throw base::refused(message + trace, std::move(place));
  };
  if (!load_chunk(lua, bundle_.text, bundle_.file)) refuse(error_text(lua), {});
  lua_xmove(lua, scope.thread, 1);
  const int status = run_thread(scope.thread, 0);
  if (status != LUA_OK) {
    std::string message = state_.stopped()       ? state_.why().message
                          : status == LUA_ERRMEM ? "it needs more memory than its budget"
                                                 : error_text(scope.thread);
    refuse(std::move(message), script_trace(scope.thread, bundle_));
  }
  read_header();
  lua_settop(scope.thread, 0);
}

void Execution::read_header() {
  lua_State* lua = state_.lua();
  lua_settop(lua, 0);
  lua_settop(main_->thread, 1);
  lua_xmove(main_->thread, lua, 1);
  luaL_getmetatable(lua, kJobMark);
  if (!lua_getmetatable(lua, 1) || !lua_rawequal(lua, -1, -2))
    throw base::refused("the script does not give a job: its last line should be `return gw.job { ... }`",
                        {bundle_.file});
  lua_settop(lua, 1);
  lua_pushnil(lua);
  lua_setmetatable(lua, 1);
  if (lua_getfield(lua, 1, "run") != LUA_TFUNCTION)
    throw base::refused("gw.job needs `run`, the function that does the work", {bundle_.file});
  run_function_ = Ref(lua);
  lua_pushnil(lua);
  lua_setfield(lua, 1, "run");
  for (const auto* name : {"on_failure", "on_success", "on_cancel"}) {
    if (lua_getfield(lua, 1, name) == LUA_TNIL) {
      lua_settop(lua, 1);
      continue;
    }
    if (lua_type(lua, -1) != LUA_TFUNCTION)
      throw base::refused(std::string(name) + " must be a function of (outcome, params)", {bundle_.file});
    endings_[name] = Ref(lua);
    lua_pushboolean(lua, 1);
    lua_setfield(lua, 1, name);
  }
  struct Text {
    std::string value;
  } text;
  lua_pushcfunction(lua, [](lua_State* inner) {
    static_cast<Text*>(lua_touserdata(inner, 2))->value = json_text(inner, 1, "gw.job", model::kScriptSizeMax);
    return 0;
  });
  lua_insert(lua, 1);
  lua_pushlightuserdata(lua, &text);
  if (lua_pcall(lua, 2, 0, 0) != LUA_OK) {
    const std::string message = error_text(lua);
    lua_settop(lua, 0);
    throw base::refused(message, {bundle_.file});
  }
  header_ = base::parse_json(text.value).as_object();
}

// --- coming and going of scopes

Scope& Execution::open_scope(lua_State* lua, Scope* parent, std::string path) {
  auto owned = std::make_unique<Scope>();
  Scope& scope = *owned;
  scope.path = std::move(path);
  scope.parent = parent;
  scope.now = parent ? parent->now : base::Instant{};
  scope.thread = lua_newthread(lua);
  scope.thread_ref = Ref(lua);
  scope.random.seed(static_cast<std::uint64_t>(base::sha256_prefix(facts_.seed + '\n' + scope.path)));
  scopes_.emplace(&scope, std::move(owned));
  return scope;
}

void Execution::close_scope(Scope& scope) {
  if (scope.loop) give_up(*scope.loop);
  for (auto& lock : scope.locks) output_.released.push_back(std::move(lock));
  if (scope.request != 0) take_back(scope.request);
  std::erase(ready_, &scope);
  std::erase_if(replay_, [&](const auto& entry) { return entry.second.first == &scope; });
  scopes_.erase(&scope);
}

// What was not yet told is as if it had never been asked for.
void Execution::take_back(std::uint64_t request) {
  waiting_.erase(request);
  const auto told = std::erase_if(output_.requests, [&](const auto& asked) { return asked.number == request; }) == 0;
  if (told) output_.cancelled.push_back(request);
}

// Branches that were given up need not ask for what they did; what they had locked is free, also in a life in which
// they never came so far.
void Execution::forgive_below(const std::string& scope) {
  for (const auto* entry : recording_.forgive_below(scope))
    if (entry->step.output.starts_with(kLockOutput)) output_.released.push_back({entry->step.path, {}});
}

void Execution::start(RunFacts facts) {
  facts_ = std::move(facts);
  live_steps_ = recording_.size();
  main_->now = facts_.submitted_at;
  main_->random.seed(static_cast<std::uint64_t>(base::sha256_prefix(facts_.seed + '\n')));
  try {
    if (facts_.ending.empty()) {
      run_function_.push(main_->thread);
    } else {
      main_->path = facts_.ending;
      endings_.at(facts_.ending).push(main_->thread);
      push_json(main_->thread, base::parse_json(facts_.outcome));
    }
    push_json(main_->thread, base::parse_json(facts_.params));
  } catch (const base::Error& error) {
    return fail({"internal", std::string("the parameters are no JSON: ") + error.what(), false, {}}, {});
  }
  make_ready(*main_);
  run();
}

void Execution::answer(std::uint64_t request, Outcome outcome) {
  const auto found = waiting_.find(request);
  if (ended_ || found == waiting_.end()) return;
  Scope& scope = *found->second;
  waiting_.erase(found);
  scope.request = 0;
  scope.outcome = std::move(outcome);
  make_ready(scope);
  run();
}

void Execution::make_ready(Scope& scope) {
  if (std::exchange(scope.queued, true)) return;
  ready_.push_back(&scope);
}

void Execution::run() {
  do {
    while (!ended_ && !ready_.empty()) {
      Scope* scope = ready_.front();
      ready_.pop_front();
      scope->queued = false;
      resume(*scope);
    }
  } while (!ended_ && give_recorded());
}

// In the order of recording, which is the order of the first life: branches that share a variable find it as it was.
bool Execution::give_recorded() {
  if (replay_.empty()) return false;
  auto [scope, entry] = replay_.begin()->second;
  replay_.erase(replay_.begin());
  scope->outcome = Outcome{entry->step.state, std::move(entry->step.output), entry->step.failure, entry->step.at};
  make_ready(*scope);
  return true;
}

int Execution::run_thread(lua_State* thread, int arguments) {
  state_.begin_stretch(thread);
  state_.limit_memory(true);
  int count = 0;
  const int status = lua_resume(thread, state_.lua(), arguments, &count);
  state_.limit_memory(false);
  if (status == LUA_YIELD) lua_pop(thread, count);
  return status;
}

void Execution::resume(Scope& scope) {
  current_ = &scope;
  if (scope.outcome) scope.now = std::max(scope.now, scope.outcome->at);
  lua_State* thread = scope.thread;
  const int arguments = lua_status(thread) == LUA_YIELD ? 0 : lua_gettop(thread) - 1;
  const int status = run_thread(thread, arguments);
  if (status == LUA_YIELD) return;
  if (status == LUA_OK) return on_returned(scope);
  on_error(scope, status);
}

void Execution::on_returned(Scope& scope) {
  lua_settop(scope.thread, 1);
  if (const auto* left = recording_.unconsumed(scope.path)) return stop_for_mismatch(nullptr, *left, {}, 0);
  if (&scope != main_) {
    lua_xmove(scope.thread, state_.lua(), 1);
    return on_branch(scope, Ref(state_.lua()), false, {});
  }
  if (const auto* left = recording_.any_unconsumed()) return stop_for_mismatch(nullptr, *left, {}, 0);
  lua_State* lua = state_.lua();
  lua_settop(lua, 0);
  struct Text {
    Execution* self;
    std::string value;
  } text{this, {}};
  lua_pushcfunction(lua, [](lua_State* inner) {
    auto& result = *static_cast<Text*>(lua_touserdata(inner, 2));
    result.value = json_text(inner, 1, "the result", result.self->state_.budget().text);
    return 0;
  });
  lua_xmove(scope.thread, lua, 1);
  lua_pushlightuserdata(lua, &text);
  if (lua_pcall(lua, 2, 0, 0) != LUA_OK) {
    const std::string message = error_text(lua);
    lua_settop(lua, 0);
    return fail({"script", message + "\n  " + bundle_.file + ": in what run returns", false, {}}, {});
  }
  End end;
  end.result = std::move(text.value);
  finish(std::move(end));
}

void Execution::on_error(Scope& scope, int status) {
  if (end_) return finish(std::move(*end_));
  const std::string trace = scope.trace + script_trace(scope.thread, bundle_);
  if (state_.stopped()) return fail({state_.why().code, state_.why().message + trace, false, {}}, scope.step);
  if (status == LUA_ERRMEM)
    return fail(
        {"memory",
         "the script needs more memory than its " + std::to_string(state_.budget().memory >> 20) + " MiB" + trace,
         false,
         {}},
        {});
  // Another script would have asked for these before it came to fail.
  if (const auto* left = recording_.unconsumed(scope.path)) return stop_for_mismatch(nullptr, *left, {}, 0);
  if (&scope != main_) {
    lua_xmove(scope.thread, state_.lua(), 1);
    return on_branch(scope, Ref(state_.lua()), true, trace);
  }
  std::string step;
  model::Failure failure = failure_at(scope.thread, -1, step);
  failure.message += trace;
  fail(std::move(failure), std::move(step));
}

void Execution::fail(model::Failure failure, std::string path) {
  failure.code = cut(failure.code, kNameMax);
  failure.message = cut(failure.message, kMessageMax);
  End end;
  end.kind = End::Kind::failed;
  end.failure = std::move(failure);
  end.path = std::move(path);
  finish(std::move(end));
}

void Execution::finish(End end) {
  ended_ = true;
  for (const auto& [number, scope] : waiting_) output_.cancelled.push_back(number);
  output_.end = std::move(end);
}

void Execution::end_with(lua_State* lua, End end) {
  if (!end_) end_ = std::move(end);
  state_.stop(lua, {"ended", "the run has ended"});
}

void Execution::abandon_loop() {
  if (!current_->loop) return;
  give_up(*current_->loop);
  current_->loop.reset();
}

void Execution::caught() {
  abandon_loop();
  current_->trace.clear();
}

// Said again in each life: a lock that is free already stays so.
void Execution::let_go() {
  output_.released.push_back(std::move(current_->locks.back()));
  current_->locks.pop_back();
}

bool Execution::holds(const std::string& name) const {
  for (const Scope* scope = current_; scope; scope = scope->parent)
    for (const auto& lock : scope->locks)
      if (lock.name == name) return true;
  return false;
}

// What a script says between two steps is kept outside of its memory budget, so there is a bound of its own.
void Execution::log(std::string level, std::string text, std::string fields) {
  if (recording_.left() > 0 || log_bytes_ > kLogBytesMax) return;
  text = cut(text, kLogLineMax);
  log_bytes_ += kLogLineCost + text.size() + fields.size();
  if (log_bytes_ > kLogBytesMax) {
    level = "warning";
    text = "the script says more than 1 MiB between two steps: what follows is left out";
    fields.clear();
  }
  output_.logs.push_back({std::move(level), std::move(text), std::move(fields)});
}

// --- steps

void Execution::check_may_ask(lua_State* lua) const {
  if (loading_) luaL_error(lua, "a step cannot run while the file is being read; call it in `run`");
  if (!lua_isyieldable(lua))
    luaL_error(lua,
               "a step cannot run here: not inside a comparison of sort, a function given to gsub, map or filter, "
               "gw.memo, fold or a metamethod");
}

std::string Execution::new_name(Scope& scope, const std::string& name, std::int64_t hash) {
  if (!scope.used.contains(name)) return name;
  const std::string with_hash = name + "~" + hex(hash);
  if (!scope.used.contains(with_hash)) return with_hash;
  for (int& n = scope.equal_calls.try_emplace(with_hash, 2).first->second;; ++n)
    if (std::string numbered = with_hash + "." + std::to_string(n); !scope.used.contains(numbered)) return numbered;
}

Execution::Key Execution::key_of(lua_State* lua, const Ask& ask, std::int64_t hash) {
  Scope& scope = *current_;
  const bool may_own = scope.in && !ask.named;
  if (auto* entry = recording_.find(scope.path, ask.name, may_own, hash)) {
    recording_.consume(*entry);
    if (entry->place.name.empty()) scope.own_used = true;
    return {entry->step.path, entry->place.name, entry};
  }
  if (const auto* left = recording_.unconsumed(scope.path)) stop_for_mismatch(lua, *left, ask, hash);
  if (may_own && !scope.own_used) {
    scope.own_used = true;
    return {scope.path, {}};
  }
  std::string name = new_name(scope, ask.name, hash);
  return {full_path(scope.path, name), name};
}

void Execution::count_step(lua_State* lua, Scope& scope) {
  ++scope.steps;
  if (recording_.left() > 0) return;
  if (++live_steps_ > state_.budget().steps)
    state_.stop(lua, {"too_many_steps",
                      "the run has more than " + std::to_string(state_.budget().steps) +
                          " recorded steps; gw.each over a list of more than 10,000 folds finished items away"});
}

int Execution::ask(lua_State* lua, Ask ask, lua_KContext context, lua_KFunction then) {
  check_may_ask(lua);
  Scope& scope = *current_;
  const std::int64_t hash = hash_of(ask.kind, ask.uses, ask.input);
  Key key = key_of(lua, ask, hash);
  if (!key.name.empty()) scope.used.insert(key.name);
  count_step(lua, scope);
  scope.step = key.path;
  if (key.recorded) {
    replay_.emplace(key.recorded->order, std::pair(&scope, key.recorded));
  } else {
    const ScriptLine line = script_line(lua);
    scope.request = ++last_request_;
    waiting_.emplace(scope.request, &scope);
    output_.requests.push_back({scope.request, std::move(key.path), ask.kind, std::move(ask.uses), hash,
                                std::move(ask.input), std::move(ask.options), line.file, line.line});
  }
  return lua_yieldk(lua, 0, context, then);
}

int Execution::raise_failure(lua_State* lua, const model::Failure& failure) {
  push_failure(lua, current_->step, failure);
  return lua_error(lua);
}

std::optional<std::string> Execution::find_note(lua_State* lua, const std::string& name, std::int64_t hash) {
  check_may_ask(lua);
  Scope& scope = *current_;
  Ask ask;
  ask.name = name;
  ask.named = true;
  ask.kind = "note";
  if (auto* entry = recording_.find(scope.path, name, false, hash)) {
    recording_.consume(*entry);
    scope.used.insert(entry->place.name);
    ++scope.steps;
    return std::move(entry->step.output);
  }
  if (const auto* left = recording_.unconsumed(scope.path)) stop_for_mismatch(lua, *left, ask, hash);
  return std::nullopt;
}

void Execution::add_note(lua_State* lua, const std::string& name, std::int64_t hash, std::string value,
                         std::vector<model::script::EmittedRow> rows) {
  Scope& scope = *current_;
  count_step(lua, scope);
  state_.begin_stretch(lua);
  const std::string own = new_name(scope, name, hash);
  scope.used.insert(own);
  Note note;
  note.path = full_path(scope.path, own);
  note.hash = hash;
  note.output = std::move(value);
  const ScriptLine line = script_line(lua);
  note.line = line.file + ":" + std::to_string(line.line);
  note.rows = std::move(rows);
  output_.notes.push_back(std::move(note));
}

void Execution::stop_for_mismatch(lua_State* lua, const Recording::Entry& recorded, const Ask& ask, std::int64_t hash) {
  End end;
  end.kind = End::Kind::mismatch;
  end.path = recorded.step.path;
  end.recorded = side(recorded.step.path, facts_.version);
  end.recorded["at"] = base::format_instant(recorded.step.at);
  end.recorded["hash"] = hex(recorded.step.hash);
  end.recorded["state"] = model::name(recorded.step.state);
  if (const std::size_t colon = recorded.step.line.rfind(':'); colon != std::string::npos) {
    end.recorded["file"] = recorded.step.line.substr(0, colon);
    end.recorded["line"] = std::stoll(recorded.step.line.substr(colon + 1));
  }
  if (lua) {
    const ScriptLine line = script_line(lua);
    end.requested = side(full_path(current_->path, ask.name), facts_.version);
    end.requested["hash"] = hex(hash);
    end.requested["kind"] = ask.kind;
    if (!ask.uses.empty()) end.requested["uses"] = ask.uses;
    if (ask.input.size() <= 4096) end.requested["input"] = ask.input;
    end.requested["file"] = line.file;
    end.requested["line"] = line.line;
  } else {
    end.requested = side(current_->path, facts_.version);
    end.requested["kind"] = "end";
    end.requested["file"] = bundle_.file;
  }
  if (lua) end_with(lua, std::move(end));
  finish(std::move(end));
}

}  // namespace godwit::script
