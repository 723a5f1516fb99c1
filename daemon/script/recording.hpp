#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "script/messages.hpp"

namespace godwit::script {

// Where a path stands: "days[3]/http.get~9f31" is the step "http.get~9f31" of scope "days[3]"; "days[3]" itself is
// that scope's own step, with an empty name; "days[]" is the list of loop "days" and "days[0..999]" items that were
// folded away, both of the scope around the loop.
struct StepPlace {
  std::string scope;
  std::string name;       // as in the path; empty for a scope's own step
  std::string base_name;  // without "~9f31"
  bool folded = false;
  std::size_t from = 0;  // items, when folded
  std::size_t to = 0;
};
StepPlace place_of(const std::string& path);

// What is recorded of a run, by scope, and what of it the script has asked for again.
class Recording {
 public:
  struct Entry {
    RecordedStep step;
    StepPlace place;
    std::size_t order = 0;
    bool consumed = false;
  };

  void add(RecordedStep step);

  // The recorded step that the next request of the scope means: the same name (or the scope's own step, when the
  // request has no name of its own and `own` says so) and the same hash, the first that was not yet asked for.
  Entry* find(const std::string& scope, const std::string& base_name, bool own, std::int64_t hash);
  // The one that has just this name, as what belongs to a loop does once that has its own.
  Entry* find_exactly(const std::string& scope, const std::string& name, std::int64_t hash);
  // A step of the scope that nobody has asked for again, or null. With null the scope may do something new.
  const Entry* unconsumed(const std::string& scope);
  void consume(Entry& entry);
  // What was folded away of a loop's items, in their order.
  std::vector<Entry*> folded(const std::string& scope, const std::string& loop);
  // The branches of a loop that were given up need not ask for what they did, which is given back.
  std::vector<const Entry*> forgive_below(const std::string& scope);
  // Anything left when the script has ended.
  const Entry* any_unconsumed() const;

  std::size_t left() const { return left_; }
  std::size_t size() const { return entries_.size(); }

 private:
  struct ScopeEntries {
    std::vector<Entry*> entries;
    std::size_t first = 0;  // those before it are consumed
    bool forgiven = false;
  };
  std::deque<Entry> entries_;
  std::unordered_map<std::string, ScopeEntries> scopes_;
  std::size_t left_ = 0;
};

}  // namespace godwit::script
