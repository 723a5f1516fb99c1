#include "script/state.hpp"

#include <cstdlib>
#include <new>
#include <stdexcept>

#include "expression/values.hpp"
#include "script/sandbox.hpp"

namespace godwit::script {
namespace {

constexpr int kHookInterval = 1'000;
// The clock is looked at after so many instructions' worth of work.
constexpr std::int64_t kClockInterval = 50'000;

void hook(lua_State* lua, lua_Debug*) {
  State::of(lua).charge(lua, kHookInterval);
}

int set_up(lua_State* lua) {
  expression::add_value_types(lua);
  add_world(lua);
  return 0;
}

}  // namespace

State::State(const Budget& budget) : budget_(budget) {
  lua_ = lua_newstate(&State::allocate, this);
  if (!lua_) throw std::bad_alloc();
  attach(lua_);
  begin_stretch(lua_);
  lua_pushcfunction(lua_, set_up);
  if (lua_pcall(lua_, 0, 0, 0) != LUA_OK) {
    const std::string why = lua_tostring(lua_, -1);
    lua_close(lua_);
    throw std::runtime_error("the script language does not start: " + why);
  }
  // Threads take over the hook of the state that makes them.
  lua_sethook(lua_, hook, LUA_MASKCOUNT, kHookInterval);
}

State::~State() {
  limited_ = false;
  lua_sethook(lua_, nullptr, 0, 0);
  lua_close(lua_);
}

void* State::allocate(void* self_pointer, void* old, std::size_t old_size, std::size_t new_size) {
  auto& self = *static_cast<State*>(self_pointer);
  if (!old) old_size = 0;
  if (new_size == 0) {
    std::free(old);
    self.used_ -= old_size;
    return nullptr;
  }
  if (new_size > old_size && self.limited_ && self.used_ + (new_size - old_size) > self.budget_.memory) return nullptr;
  void* result = std::realloc(old, new_size);
  if (result) self.used_ = self.used_ - old_size + new_size;
  return result;
}

void State::begin_stretch(lua_State* thread) {
  unclocked_ = 0;
  stretch_started_ = base::thread_cpu_time().count();
  running_thread_ = thread;
  newest_stretch_ = stretch_started_;
}

void State::stop(lua_State* lua, Stop why) {
  if (!stopped_) stop_ = std::move(why);
  stopped_ = true;
  lua_pushlightuserdata(lua, this);
  lua_error(lua);
  std::abort();  // lua_error does not return
}

void State::pass_on_stop(lua_State* lua, int status) {
  if (stopped_) lua_error(lua);
  if (status == LUA_ERRMEM)
    stop(lua, {"memory", "it needs more memory than its " + std::to_string(budget_.memory >> 20) + " MiB"});
}

void State::charge(lua_State* lua, std::int64_t work) {
  if (stopped_) stop(lua, {});
  unclocked_ += work;
  if (unclocked_ < kClockInterval) return;
  unclocked_ = 0;
  const auto used = base::thread_cpu_time() - std::chrono::nanoseconds(stretch_started_);
  if (used > budget_.cpu)
    stop(lua, {"cpu", "it computed for longer than " + base::format_duration(budget_.cpu) +
                          " without a step; do the work in a plugin, or in smaller parts with gw.memo between them"});
}

}  // namespace godwit::script
