// The loops of an execution: branches begin as there is room, end in any order, and their results are taken in the
// order of the items.
#include "base/digest.hpp"
#include "script/execution.hpp"
#include "script/failure.hpp"
#include "script/values.hpp"

namespace godwit::script {
namespace {

// A loop over more items than this takes finished ones out of the journal, so many at once.
constexpr std::size_t kFoldListMin = 10'000;
constexpr std::size_t kFoldBatch = 1'000;
// Finished items may be so far ahead of the oldest one that is under way.
constexpr std::size_t kAheadMax = 10'000;
constexpr std::int64_t kWinner = 1;  // the hash of the note that says who was first

std::string full_path(const std::string& scope, const std::string& name) {
  return scope.empty() ? name : scope + "/" + name;
}

// A key as a part of a path: what would end it early is written as in an URL, and a long one is cut and told apart by
// its hash.
std::string key_text(const std::string& key) {
  constexpr std::size_t kShown = 80;
  std::string text;
  for (const char c : key.substr(0, kShown)) {
    if (c == '[' || c == ']' || c == '%' || static_cast<unsigned char>(c) < 0x20) {
      char buffer[4];
      std::snprintf(buffer, sizeof buffer, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      text += buffer;
    } else {
      text += c;
    }
  }
  // A cut in the middle of a character would not be UTF-8.
  if (key.size() > kShown) {
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.pop_back();
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0) text.pop_back();
    text += "~" + base::sha256_hex(key).substr(0, 16);
  }
  // "1..2" names what was folded away.
  return text.find("..") == std::string::npos ? text : "=" + text;
}

}  // namespace

int Execution::run_loop(lua_State* lua, std::unique_ptr<Loop> loop, std::int64_t hash, const std::string& value) {
  check_may_ask(lua);
  Scope& scope = *current_;
  if (auto* entry = recording_.find(scope.path, loop->name + "[]", false, hash)) {
    recording_.consume(*entry);
    loop->name = entry->place.name.substr(0, entry->place.name.size() - 2);
    scope.used.insert(entry->place.name);
    ++scope.steps;
  } else {
    Ask ask;
    ask.kind = "loop";
    ask.name = loop->name + "[]";
    if (const auto* left = recording_.unconsumed(scope.path)) stop_for_mismatch(lua, *left, ask, hash);
    const std::string name = loop->name;
    for (int n = 2; scope.used.contains(loop->name + "[]"); ++n) loop->name = name + "~" + std::to_string(n);
    add_note(lua, loop->name + "[]", hash, value);
  }
  loop->parent = &scope;
  loop->path = full_path(scope.path, loop->name);
  if (loop->kind == Loop::Kind::first) {
    if (auto* entry = recording_.find_exactly(scope.path, loop->name, kWinner)) {
      recording_.consume(*entry);
      scope.used.insert(entry->place.name);
      ++scope.steps;
      loop->winner = base::parse_json(entry->step.output).to_number<std::size_t>();
    }
  }
  scope.loop = std::move(loop);
  restore(lua, *scope.loop);
  return go_on(lua, *scope.loop);
}

// What was folded away comes back as its value, whatever the number of its items.
void Execution::restore(lua_State* lua, Loop& loop) {
  for (auto* entry : recording_.folded(loop.parent->path, loop.name)) {
    recording_.consume(*entry);
    const json::value folded = base::parse_json(entry->step.output);
    loop.cursor = loop.next = loop.folded = loop.finished = entry->place.to + 1;
    loop.failed = folded.at("failed").to_number<std::size_t>();
    loop.parent->now = base::from_microseconds(folded.at("now").to_number<std::int64_t>());
    if (loop.folds) {
      push_json(lua, folded.at("value"));
      loop.value = Ref(lua);
      continue;
    }
    loop.value.push(lua);
    for (const auto& item : folded.at("value").as_array()) {
      push_json(lua, item);
      lua_rawseti(lua, -2, static_cast<lua_Integer>(++loop.kept));
    }
    lua_pop(lua, 1);
    loop.kept_folded = loop.kept;
  }
}

int Execution::loop_step(lua_State* lua, int, lua_KContext) {
  Execution& self = of(lua);
  return self.go_on(lua, *self.current_->loop);
}

int Execution::go_on(lua_State* lua, Loop& loop) {
  Scope& scope = *loop.parent;
  lua_settop(lua, 0);
  luaL_checkstack(lua, 12, "too much is under way");
  if (!loop.over) {
    while (!loop.waiting.empty() && loop.waiting.begin()->first == loop.cursor) {
      keep(lua, loop, loop.cursor);
      ++loop.cursor;
      if (loop.foldable && loop.cursor - loop.folded >= kFoldBatch) fold_away(lua, loop);
    }
    fill(lua, loop);
    note_progress(loop);
    if (!complete(loop)) return lua_yieldk(lua, 0, 0, loop_step);
  }
  const std::unique_ptr<Loop> done = std::move(scope.loop);
  note_progress(*done);
  if (done->error) {
    scope.trace = std::move(done->trace);
    done->error.push(lua);
    return lua_error(lua);
  }
  done->value.push(lua);
  if (done->kind != Loop::Kind::first) return 1;
  if (!scope.used.contains(done->name)) add_note(lua, done->name, kWinner, std::to_string(*done->winner));
  const std::string& key = done->keys[*done->winner];
  lua_pushlstring(lua, key.data(), key.size());
  if (lua_stringtonumber(lua, key.c_str()) != 0) lua_remove(lua, -2);
  return 2;
}

bool Execution::complete(const Loop& loop) const {
  return loop.running == 0 && loop.cursor == loop.count && loop.next == loop.count;
}

// Begins branches as there is room.
void Execution::fill(lua_State* lua, Loop& loop) {
  if (loop.winner) {
    if (loop.next == 0) begin_branch(lua, loop, *loop.winner);
    // The others had come so far when they were given up.
    for (std::size_t i = loop.next; i < loop.count; ++i)
      if (i != *loop.winner) forgive_below(loop.path + "[" + key_text(loop.keys[i]) + "]");
    loop.next = loop.count;
    return;
  }
  while (loop.next < loop.count && loop.running < loop.parallel && loop.next - loop.cursor < kAheadMax)
    begin_branch(lua, loop, loop.next++);
}

void Execution::begin_branch(lua_State* lua, Loop& loop, std::size_t index) {
  // Items of a frontier are told apart by the order in which they were found, as in YAML: it is the same in every life.
  std::string key = std::to_string(index);
  if (index < loop.keys.size()) {
    key = loop.keys[index];
  } else if (loop.key && loop.kind == Loop::Kind::each) {
    loop.key.push(lua);
    loop.items.push(lua);
    lua_rawgeti(lua, -1, static_cast<lua_Integer>(index + 1));
    lua_remove(lua, -2);
    const Aside aside(*this, loop.path + "\nkey\n" + std::to_string(index));
    lua_call(lua, 1, 1);
    if (lua_type(lua, -1) != LUA_TSTRING && !lua_isinteger(lua, -1))
      luaL_error(lua, "gw.each %s: the key of item %d must be a text or an integer", loop.name.c_str(),
                 static_cast<int>(index + 1));
    key = lua_tostring(lua, -1);
    lua_pop(lua, 1);
    if (!loop.known.emplace(key, index).second)
      luaL_error(lua, "gw.each %s: two items have the key %s", loop.name.c_str(), key.c_str());
  }
  Scope& branch = open_scope(lua, loop.parent, loop.path + "[" + key_text(key) + "]");
  branch.in = &loop;
  branch.index = index;
  lua_State* thread = branch.thread;
  if (loop.function) {
    loop.function.push(thread);
    loop.items.push(thread);
    lua_rawgeti(thread, -1, static_cast<lua_Integer>(index + 1));
    lua_remove(thread, -2);
    if (loop.kind == Loop::Kind::frontier)
      lua_pushcfunction(thread, [](lua_State* inner) {
        lua_settop(inner, 1);
        lua_pushboolean(inner, of(inner).grow(inner));
        return 1;
      });
    else
      lua_pushinteger(thread, static_cast<lua_Integer>(index + 1));
  } else {
    loop.items.push(thread);
    lua_rawgeti(thread, -1, static_cast<lua_Integer>(index + 1));
    lua_remove(thread, -2);
  }
  loop.branches.push_back(&branch);
  ++loop.running;
  make_ready(branch);
}

// {item, index, state, output, error}: what YAML's stages.<name>.items has. Takes the value on top of the stack.
void Execution::push_entry(lua_State* lua, const Loop& loop, std::size_t index, bool failed) {
  const int value = lua_gettop(lua);
  lua_createtable(lua, 0, 5);
  loop.items.push(lua);
  lua_rawgeti(lua, -1, static_cast<lua_Integer>(index + 1));
  lua_remove(lua, -2);
  lua_setfield(lua, -2, "item");
  lua_pushinteger(lua, static_cast<lua_Integer>(index));
  lua_setfield(lua, -2, "index");
  lua_pushstring(lua, failed ? "failed" : "succeeded");
  lua_setfield(lua, -2, "state");
  if (failed) {
    std::string step;
    const model::Failure failure = failure_at(lua, value, step);
    lua_createtable(lua, 0, 2);
    lua_pushlstring(lua, failure.code.data(), failure.code.size());
    lua_setfield(lua, -2, "code");
    lua_pushlstring(lua, failure.message.data(), failure.message.size());
    lua_setfield(lua, -2, "message");
    lua_setfield(lua, -2, "error");
    lua_pushlightuserdata(lua, nullptr);
    lua_setfield(lua, -2, "output");
  } else {
    if (lua_isnil(lua, value)) {
      lua_pushlightuserdata(lua, nullptr);
    } else {
      lua_pushvalue(lua, value);
    }
    lua_setfield(lua, -2, "output");
    lua_pushlightuserdata(lua, nullptr);
    lua_setfield(lua, -2, "error");
  }
  lua_remove(lua, value);
}

// A branch has ended. Only notes it; the loop's own scope goes on with it, where errors have a place.
void Execution::on_branch(Scope& scope, Ref value, bool failed, std::string trace) {
  Loop& loop = *scope.in;
  Scope& parent = *loop.parent;
  const std::size_t index = scope.index;
  parent.now = std::max(parent.now, scope.now);
  parent.steps += scope.steps;
  loop.steps += scope.steps;
  std::erase(loop.branches, &scope);
  close_scope(scope);
  --loop.running;
  ++loop.finished;
  if (failed) ++loop.failed;
  make_ready(parent);
  if (loop.kind == Loop::Kind::first) {
    if (!failed) loop.winner = index;
    loop.over = !failed || loop.running == 0;
    if (!loop.over) return;
    (failed ? loop.error : loop.value) = std::move(value);
    loop.trace = std::move(trace);
    return give_up(loop);
  }
  if (failed && loop.on_error == OnBranchError::fail) {
    loop.over = true;
    loop.error = std::move(value);
    loop.trace = std::move(trace);
    return give_up(loop);
  }
  if (loop.on_error == OnBranchError::record) {
    value.push(state_.lua());
    push_entry(state_.lua(), loop, index, failed);
    value = Ref(state_.lua());
  } else if (failed) {
    value = Ref();
  }
  loop.waiting.emplace(index, std::move(value));
}

// Takes the result of the item at the cursor into the loop's value.
void Execution::keep(lua_State* lua, Loop& loop, std::size_t index) {
  const auto first = loop.waiting.begin();
  const Ref result = std::move(first->second);
  loop.waiting.erase(first);
  if (!result) return;  // failed, and to be skipped
  if (loop.folds) {
    loop.fold.push(lua);
    loop.value.push(lua);
    result.push(lua);
    loop.items.push(lua);
    lua_rawgeti(lua, -1, static_cast<lua_Integer>(index + 1));
    lua_remove(lua, -2);
    lua_pushinteger(lua, static_cast<lua_Integer>(index + 1));
    const Aside aside(*this, loop.path + "\nfold\n" + std::to_string(index));
    lua_call(lua, 4, 1);
    loop.value = Ref(lua);
    return;
  }
  loop.value.push(lua);
  result.push(lua);
  if (loop.kind == Loop::Kind::all) {
    const std::string& key = loop.keys[index];
    if (lua_stringtonumber(lua, key.c_str()) == 0) lua_pushlstring(lua, key.data(), key.size());
    lua_insert(lua, -2);
    lua_rawset(lua, -3);
  } else {
    // A list has no holes.
    if (lua_isnil(lua, -1)) {
      lua_pop(lua, 1);
      lua_pushlightuserdata(lua, nullptr);
    }
    lua_rawseti(lua, -2, static_cast<lua_Integer>(++loop.kept));
  }
  lua_pop(lua, 1);
}

void Execution::fold_away(lua_State* lua, Loop& loop) {
  std::string value;
  loop.value.push(lua);
  if (loop.folds) {
    value = json_text(lua, -1, "the folded value", state_.budget().text);
  } else {
    lua_createtable(lua, static_cast<int>(loop.kept - loop.kept_folded), 0);
    for (std::size_t i = loop.kept_folded; i < loop.kept; ++i) {
      lua_rawgeti(lua, -2, static_cast<lua_Integer>(i + 1));
      lua_rawseti(lua, -2, static_cast<lua_Integer>(i - loop.kept_folded + 1));
    }
    value = loop.kept == loop.kept_folded ? "[]" : json_text(lua, -1, "the results", state_.budget().text);
    lua_pop(lua, 1);
  }
  lua_pop(lua, 1);
  Note note;
  note.folds = true;
  note.replaces = loop.folds;
  note.loop = loop.path;
  note.from = loop.folded;
  note.to = loop.cursor - 1;
  note.path = loop.path + "[" + std::to_string(note.from) + ".." + std::to_string(note.to) + "]";
  note.output = "{\"failed\":" + std::to_string(loop.failed) +
                ",\"now\":" + std::to_string(base::to_microseconds(loop.parent->now)) + ",\"value\":" + value + "}";
  output_.notes.push_back(std::move(note));
  live_steps_ -= std::min(live_steps_, loop.steps);
  loop.steps = 0;
  loop.folded = loop.cursor;
  loop.kept_folded = loop.kept;
}

void Execution::give_up(Loop& loop) {
  for (Scope* branch : std::exchange(loop.branches, {})) {
    forgive_below(branch->path);
    close_scope(*branch);
  }
  loop.running = 0;
}

bool Execution::grow(lua_State* lua) {
  check_may_ask(lua);
  Loop* loop = current_->in;
  if (!loop || loop->kind != Loop::Kind::frontier)
    return luaL_error(lua, "grow belongs to the function that gw.frontier called, not to a loop inside of it") != 0;
  lua_settop(lua, 1);
  if (!add_item(lua, *loop, loop->depths[current_->index] + 1)) return false;
  make_ready(*loop->parent);
  return true;
}

bool Execution::add_item(lua_State* lua, Loop& loop, int depth) {
  std::string key;
  if (loop.key) {
    loop.key.push(lua);
    lua_pushvalue(lua, -2);
    const Aside aside(*this, loop.path + "\nkey\n" + std::to_string(loop.count));
    lua_call(lua, 1, 1);
    if (lua_type(lua, -1) != LUA_TSTRING && !lua_isinteger(lua, -1))
      luaL_error(lua, "gw.frontier %s: a key must be a text or an integer", loop.name.c_str());
    key = lua_tostring(lua, -1);
    lua_pop(lua, 1);
  } else {
    key = json_text(lua, -1, "the item", 64u << 10);
  }
  const bool fits = depth <= loop.depth_max && loop.count < loop.items_max;
  if (!fits || !loop.known.emplace(key, loop.count).second) {
    lua_pop(lua, 1);
    return false;
  }
  loop.depths.push_back(depth);
  loop.items.push(lua);
  lua_insert(lua, -2);
  lua_rawseti(lua, -2, static_cast<lua_Integer>(++loop.count));
  lua_pop(lua, 1);
  return true;
}

// What was given up is not waited for any more.
void Execution::note_progress(const Loop& loop) {
  LoopProgress progress{loop.path, loop.over ? loop.finished : loop.count, loop.finished, loop.failed};
  for (auto& known : output_.loops)
    if (known.path == progress.path) return static_cast<void>(known = std::move(progress));
  output_.loops.push_back(std::move(progress));
}

}  // namespace godwit::script
