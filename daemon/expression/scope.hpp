#pragma once
#include <boost/container/small_vector.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"

namespace godwit::expression {

namespace json = base::json;

// The names an expression sees. Holds pointers only: values, and the parent, must outlive it. An item's scope sets
// `item` and `index` and leaves the rest to its run's scope.
class Scope {
 public:
  explicit Scope(const Scope* parent = nullptr) : parent_(parent) {}

  // `value` is what the name `root` stands for; replaces what was there.
  void set(std::string_view root, const json::value& value);
  // Makes `root` an object whose members are set one by one: stages.search, stages.rank.
  void set_member(std::string_view root, std::string_view key, const json::value& value);

  // A root as the scope knows it: one value, or members that were set one by one (sorted by key).
  struct Root {
    std::string name;
    const json::value* whole = nullptr;
    std::vector<std::pair<std::string, const json::value*>> members;
    const json::value* find_member(std::string_view key) const;
  };
  // Looks in the parents too; null when nobody set it.
  const Root* find(std::string_view root) const;
  std::vector<std::string> names() const;

 private:
  Root& own(std::string_view root);

  const Scope* parent_;
  boost::container::small_vector<Root, 2> roots_;
};

}  // namespace godwit::expression
