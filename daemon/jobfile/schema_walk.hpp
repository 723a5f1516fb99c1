#pragma once
#include <functional>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"

namespace godwit::jobfile {

namespace json = base::json;

// What this project needs of a JSON Schema beyond its verdict: its defaults, its formats, and the part of it that
// speaks of one place. Only parts that always hold are walked (properties, items, additionalProperties, allOf, $ref),
// not the branches of anyOf and its like.
class SchemaWalk {
 public:
  // Throws Error(refused): references that lead nowhere, or in a circle; patterns that are no regular expressions.
  SchemaWalk(const json::object& document, const std::string& name);

  using Problems = std::vector<base::Error::Problem>;
  // Somebody who gets this many wrong needs no longer list.
  static constexpr std::size_t kViolationsMax = 50;
  // Longer texts are not held against patterns: matching may take quadratic time.
  static constexpr std::size_t kPatternTextMax = 2048;

  // Also makes integers of floating numbers where whole ones are wanted. Throws Error(refused) when the defaults call
  // for ever more defaults.
  void fill_defaults(json::value& value) const;
  // What the validator does not know or does not tell: all unknown names, formats, items that must differ, and texts
  // too long for a pattern.
  Problems violations(const json::value& value) const;
  // The schemas that speak of the value at `path` (as in Problem), outermost first.
  std::vector<const json::object*> at(const json::value& value, const std::string& path) const;
  // Whether `value` holds a text that may not be held against a pattern.
  static bool has_long_text(const json::value& value);
  using Visit = std::function<void(const json::object& schema, const json::value& value, const std::string& path)>;
  // Every part of `value` with each schema that speaks of it, outermost first.
  void each_part(const json::value& value, const Visit& each) const { visit(document_, value, {}, each); }
  // Members of an object that its schema does not allow.
  static void find_unknown_names(const json::object& schema, const json::value& value, const std::string& path,
                                 Problems& problems);
  // Names of which an object must have one, where it has none or too many.
  static void find_choices(const json::object& schema, const json::value& value, const std::string& path,
                           Problems& problems);
  // All patterns, compiled to a matcher that neither recurses nor backtracks.
  const std::map<std::string, std::regex>& patterns() const { return patterns_; }

 private:
  void check(const json::value& schema, const std::string& path, bool conditional);
  void check_here(const json::object& schema, const std::string& path, bool conditional);
  void check_circles() const;
  bool leads_back(const json::object& schema, std::vector<const json::object*>& trail) const;
  const json::object* target(const json::object& schema) const;
  void visit(const json::object& schema, const json::value& value, const std::string& path, const Visit& each) const;
  void visit_part(const json::value* schema, const json::value& value, const std::string& path,
                  const Visit& each) const;
  void fill(const json::object& schema, json::value& value, int& left, std::size_t depth) const;

  [[noreturn]] void refuse(const std::string& path, std::string what) const;

  const json::object& document_;
  std::string name_;
  std::map<std::string, std::regex> patterns_;
  bool conditional_patterns_ = false;  // a pattern stands where the walk does not come
};

}  // namespace godwit::jobfile
