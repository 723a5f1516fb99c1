#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/json.hpp"
#include "model/script_bundle.hpp"
#include "script/recording.hpp"
#include "script/scope.hpp"
#include "script/state.hpp"

namespace godwit::script {

namespace json = base::json;

// One run of a script in memory: its coroutines, what they wait for, and what is recorded of it. Knows no I/O: it is
// told what is recorded and how requests ended, and says what the script wants next. One thread at a time.
//
// The script is deterministic between two steps, and every wait is a step; so running it again with what is recorded
// leads to where it was. Recorded outcomes are given out in the order they were recorded in, as in the first life.
class Execution {
 public:
  // Throws Error(refused) when the script cannot be loaded.
  Execution(const model::ScriptBundle& bundle, const Budget& budget);
  ~Execution();
  Execution(const Execution&) = delete;

  // What the script said of itself: gw.job without `run`.
  const json::object& header() const { return header_; }

  // Before start(): what is recorded, in the order of recording.
  void recorded(RecordedStep step) { recording_.add(std::move(step)); }
  // Each runs the script until it waits or ends; afterwards output() has what came of it.
  void start(RunFacts facts);
  void answer(std::uint64_t request, Outcome outcome);
  Output take_output() {
    log_bytes_ = 0;
    return std::exchange(output_, {});
  }
  bool ended() const { return ended_; }

  State& state() { return state_; }

  // --- for the functions of gw; all raise Lua errors
  static Execution& of(lua_State* lua) { return *static_cast<Execution*>(State::of(lua).owner); }
  struct Ask {
    const char* kind = "call";
    std::string name;    // of the step
    bool named = false;  // by the script, so that it does not take the scope's own path
    std::string uses;
    std::string input = "null";
    std::string options = "{}";
  };
  // Asks for a step and yields; `then` gets the outcome by take_outcome(). Give back what it returns.
  int ask(lua_State* lua, Ask ask, lua_KContext context, lua_KFunction then);
  Outcome take_outcome() { return std::move(*std::exchange(current_->outcome, {})); }
  // Raises the error of the step that the current scope has waited for.
  int raise_failure(lua_State* lua, const model::Failure& failure);
  // What the script decided by itself under this name before; if nothing is recorded, add_note() must follow.
  std::optional<std::string> find_note(lua_State* lua, const std::string& name, std::int64_t hash);
  void add_note(lua_State* lua, const std::string& name, std::int64_t hash, std::string value,
                std::vector<model::script::EmittedRow> rows = {});
  // Begins a loop in the current scope and waits for it; the loop's value is the result. `hash` is of what it goes
  // over, `value` what is recorded of that.
  int run_loop(lua_State* lua, std::unique_ptr<Loop> loop, std::int64_t hash, const std::string& value);
  // Adds an item to the frontier whose branch is running; the item is on top of the stack. False when it is known.
  bool grow(lua_State* lua);
  // The same for a list that is being made; takes the item from the stack.
  bool add_item(lua_State* lua, Loop& loop, int depth);
  // The current scope has taken a lock with its last step; it has it until it lets go or ends.
  void hold(std::string name) { current_->locks.push_back({current_->step, std::move(name)}); }
  void let_go();
  // Whether the current scope, or one around it, has the lock.
  bool holds(const std::string& name) const;
  // Ends the whole run, from whatever branch.
  void end_with(lua_State* lua, End end);
  // An error was caught in the current scope: the loop it waited for is over.
  void caught();
  // An error goes through the current scope: the loop it waited for is over.
  void abandon_loop();
  void log(std::string level, std::string text, std::string fields);
  void set_progress(std::string fields) { output_.progress = std::move(fields); }

  Scope& current() { return *current_; }
  std::uint64_t draw() { return aside_ ? (*aside_)() : current_->random(); }
  // While it lives, random numbers come from a stream of its own. For functions that a later life of the run may not
  // call again, because what they gave is recorded: what is drawn in them must not move the scope's own stream.
  class Aside {
   public:
    Aside(Execution& execution, const std::string& seed);
    ~Aside() { execution_.aside_ = before_; }
    Aside(const Aside&) = delete;

   private:
    Execution& execution_;
    std::mt19937_64 random_;
    std::mt19937_64* before_;
  };
  bool loading() const { return loading_; }
  const RunFacts& facts() const { return facts_; }
  const model::ScriptBundle& bundle() const { return bundle_; }

 private:
  struct Key {
    std::string path;
    std::string name;  // what of it is the scope's
    Recording::Entry* recorded = nullptr;
  };

  void load();
  void read_header();
  void check_may_ask(lua_State* lua) const;
  // What a request is called: what is recorded for it, or a path that is new. Stops the script when it asks for
  // something new while recorded steps of its scope are left.
  Key key_of(lua_State* lua, const Ask& ask, std::int64_t hash);
  static std::string new_name(Scope& scope, const std::string& name, std::int64_t hash);
  void count_step(lua_State* lua, Scope& scope);

  Scope& open_scope(lua_State* lua, Scope* parent, std::string path);
  void close_scope(Scope& scope);
  void take_back(std::uint64_t request);
  void forgive_below(const std::string& scope);
  void make_ready(Scope& scope);
  void run();
  bool give_recorded();
  int run_thread(lua_State* thread, int arguments);
  void resume(Scope& scope);
  void on_returned(Scope& scope);
  void on_error(Scope& scope, int status);
  void stop_for_mismatch(lua_State* lua, const Recording::Entry& recorded, const Ask& ask, std::int64_t hash);
  void finish(End end);
  void fail(model::Failure failure, std::string path);

  // Loops: loops.cpp.
  static int loop_step(lua_State* lua, int status, lua_KContext context);
  int go_on(lua_State* lua, Loop& loop);
  void restore(lua_State* lua, Loop& loop);
  void fill(lua_State* lua, Loop& loop);
  void begin_branch(lua_State* lua, Loop& loop, std::size_t index);
  void push_entry(lua_State* lua, const Loop& loop, std::size_t index, bool failed);
  void on_branch(Scope& scope, Ref value, bool failed, std::string trace);
  void keep(lua_State* lua, Loop& loop, std::size_t index);
  void fold_away(lua_State* lua, Loop& loop);
  void give_up(Loop& loop);
  bool complete(const Loop& loop) const;
  void note_progress(const Loop& loop);

  model::ScriptBundle bundle_;
  State state_;
  json::object header_;
  RunFacts facts_;
  Recording recording_;
  Output output_;
  std::size_t log_bytes_ = 0;  // in output_
  Ref run_function_;
  std::map<std::string, Ref> endings_;  // by name
  bool loading_ = true;
  bool ended_ = false;

  std::map<Scope*, std::unique_ptr<Scope>> scopes_;
  Scope* main_ = nullptr;
  Scope* current_ = nullptr;
  std::deque<Scope*> ready_;
  std::unordered_map<std::uint64_t, Scope*> waiting_;                   // by request
  std::map<std::size_t, std::pair<Scope*, Recording::Entry*>> replay_;  // recorded outcomes that were asked for
  std::uint64_t last_request_ = 0;
  std::size_t live_steps_ = 0;  // recorded and not folded away
  std::optional<End> end_;      // what the script is being stopped for
  std::mt19937_64* aside_ = nullptr;
};

// The file and line of the script's innermost function, and the lines of all of them.
struct ScriptLine {
  std::string file;
  int line = 0;
};
ScriptLine script_line(lua_State* lua);
// The message of the error on top of the stack, without the name of a type or an address in it.
std::string error_text(lua_State* lua);
std::string script_trace(lua_State* lua, const model::ScriptBundle& bundle);

}  // namespace godwit::script
