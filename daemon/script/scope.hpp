#pragma once
#include <deque>
#include <lua.hpp>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "script/messages.hpp"

namespace godwit::script {

struct Scope;

// A value in Lua's registry.
class Ref {
 public:
  Ref() = default;
  // Takes the value on top of the stack.
  explicit Ref(lua_State* lua) : lua_(lua), number_(luaL_ref(lua, LUA_REGISTRYINDEX)) {}
  Ref(Ref&& other) noexcept : lua_(std::exchange(other.lua_, nullptr)), number_(other.number_) {}
  Ref& operator=(Ref&& other) noexcept {
    std::swap(lua_, other.lua_);
    std::swap(number_, other.number_);
    return *this;
  }
  ~Ref() {
    if (lua_) luaL_unref(lua_, LUA_REGISTRYINDEX, number_);
  }
  explicit operator bool() const { return lua_ != nullptr; }
  void push(lua_State* lua) const { lua_rawgeti(lua, LUA_REGISTRYINDEX, number_); }

 private:
  lua_State* lua_ = nullptr;
  int number_ = LUA_NOREF;
};

enum class OnBranchError { fail, skip, record };

// Several branches that a scope waits for: the items of gw.each and gw.frontier, the functions of gw.all and gw.first.
// Each branch is a scope of its own, and only so many are under way at once.
struct Loop {
  enum class Kind { each, all, first, frontier };
  Kind kind = Kind::each;
  Scope* parent = nullptr;
  std::string name;  // "days"
  std::string path;  // "days", below its scope's path
  std::size_t count = 0;
  std::size_t parallel = 32;
  OnBranchError on_error = OnBranchError::fail;
  bool folds = false;     // there is a fold function
  bool foldable = false;  // finished items may leave the journal

  Ref items;     // list of items, or table of functions
  Ref function;  // what is called with an item; none for a table of functions
  Ref fold;
  Ref value;                      // the accumulator, or the results by index
  Ref key;                        // of gw.each and gw.frontier: makes a branch's name
  std::vector<std::string> keys;  // of branches that are known by name

  std::size_t next = 0;    // the first item that was not begun
  std::size_t cursor = 0;  // the first item whose result is not in `value`; results come in in the order of items
  std::size_t folded = 0;  // items before it are out of the journal
  std::size_t finished = 0;
  std::size_t failed = 0;
  std::size_t running = 0;
  std::size_t kept = 0;                // results in `value`
  std::size_t kept_folded = 0;         // of them out of the journal
  std::size_t steps = 0;               // of finished branches, and not folded away
  std::map<std::size_t, Ref> waiting;  // finished items beyond the cursor
  std::vector<Scope*> branches;        // under way

  bool over = false;  // failed, or first has its winner
  std::optional<std::size_t> winner;
  Ref error;          // of the branch that failed
  std::string trace;  // of that branch
  // Of a frontier.
  std::unordered_map<std::string, std::size_t> known;
  std::vector<int> depths;
  int depth_max = 1'000;
  std::size_t items_max = 100'000;
};

// One coroutine of a script, which makes its steps one after the other. What a step is called within it is decided by
// what the scope itself has asked for, never by its neighbours.
struct Scope {
  std::string path;  // "", "days[3]", "days[3]/inner[0]"
  Scope* parent = nullptr;
  Loop* in = nullptr;  // the loop it is a branch of
  std::size_t index = 0;
  lua_State* thread = nullptr;
  Ref thread_ref;
  base::Instant now;
  std::mt19937_64 random;
  std::unordered_set<std::string> used;              // names of its steps and loops
  std::unordered_map<std::string, int> equal_calls;  // how many of its steps have this name and hash
  bool own_used = false;                 // the step that has the scope's own path was asked for
  std::unique_ptr<Loop> loop;            // that it waits for
  std::uint64_t request = 0;             // that it waits for
  std::string step;                      // the path of that request
  std::vector<Released> locks;           // that it has, the newest last
  std::optional<Outcome> outcome;
  bool queued = false;
  std::size_t steps = 0;  // its own and those of its branches
  std::string trace;      // of the error that came out of a branch
};

}  // namespace godwit::script
