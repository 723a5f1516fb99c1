#pragma once
#include <atomic>
#include <cstdint>
#include <lua.hpp>
#include <string>

#include "expression/heap.hpp"
#include "script/messages.hpp"

namespace godwit::script {

// Why a script was ended from outside. A script cannot catch it.
struct Stop {
  std::string code;
  std::string message;
};

// One Lua state for one run of one script: counted memory, counted time, and the world of names scripts live in. One
// thread at a time.
class State final : public expression::Heap {
 public:
  explicit State(const Budget& budget);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  static State& of(lua_State* lua) { return static_cast<State&>(Heap::of(lua)); }

  lua_State* lua() const { return lua_; }
  const Budget& budget() const { return budget_; }
  // For header-given budgets, before the run starts.
  void set_budget(const Budget& budget) { budget_ = budget; }
  void* owner = nullptr;  // the Execution

  // The memory budget holds only while the script runs: what is done for it in between has nobody to tell.
  void limit_memory(bool limited) { limited_ = limited; }

  // The clock of the CPU budget starts anew, for `thread`.
  void begin_stretch(lua_State* thread);
  // For a watchdog on another thread, in a process that runs its scripts on one: when the newest stretch began, in CPU
  // time of that thread (0 when none did), and which Lua thread it is of.
  static std::int64_t newest_stretch() { return newest_stretch_.load(); }
  static void forget_stretch() { newest_stretch_ = 0; }
  static lua_State* running_thread() { return running_thread_.load(); }

  // Ends the script: raises a Lua error that nothing catches.
  [[noreturn]] void stop(lua_State* lua, Stop why);
  bool stopped() const { return stopped_; }
  const Stop& why() const { return stop_; }
  // After a protected call: a stop goes on, and memory that was used up is one.
  void pass_on_stop(lua_State* lua, int status);

  void charge(lua_State* lua, std::int64_t work) override;
  std::size_t text_max() const override { return static_cast<std::size_t>(budget_.text); }
  std::uint64_t evaluation() const override { return 0; }
  std::size_t memory_used() const { return used_; }

 private:
  static void* allocate(void* self, void* old, std::size_t old_size, std::size_t new_size);

  Budget budget_;
  lua_State* lua_ = nullptr;
  std::size_t used_ = 0;
  bool limited_ = false;
  bool stopped_ = false;
  Stop stop_;
  std::int64_t unclocked_ = 0;  // work since the clock was looked at
  std::int64_t stretch_started_ = 0;
  static inline std::atomic<std::int64_t> newest_stretch_{0};
  static inline std::atomic<lua_State*> running_thread_{nullptr};
};

}  // namespace godwit::script
