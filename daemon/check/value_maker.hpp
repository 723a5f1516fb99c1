#pragma once
#include <random>
#include <string>

#include "base/json.hpp"

namespace godwit::check {

// Makes JSON values that fit a JSON Schema, and such as nearly do. The schema's own `examples` and `default` come
// first.
class ValueMaker {
 public:
  ValueMaker(const base::json::object& schema, std::mt19937_64& random) : root_(schema), random_(random) {}

  // A value that should fit; whoever needs to be sure holds it against the schema.
  base::json::value make() { return make(root_, 0); }
  // Changes one place of a value into something that should not fit.
  base::json::value spoil(base::json::value value);
  // Any JSON at all.
  base::json::value any(int depth = 0);

 private:
  base::json::value make(const base::json::object& schema, int depth);
  base::json::value make_any_of(const base::json::object& schema, const base::json::array& branches, int depth);
  base::json::value make_object(const base::json::object& schema, int depth);
  base::json::value make_array(const base::json::object& schema, int depth);
  base::json::value make_number(const base::json::object& schema, bool whole);
  base::json::value make_string(const base::json::object& schema);
  const base::json::object& resolve(const base::json::object& schema) const;
  std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_); }
  bool chance(int percent) { return below(100) < static_cast<std::size_t>(percent); }
  std::string word();

  const base::json::object& root_;
  std::mt19937_64& random_;
};

// A text that matches the regular expression (ECMAScript, the common part: sets, groups, alternatives, counts); what is
// not understood is left out.
std::string text_matching(const std::string& pattern, std::mt19937_64& random);

}  // namespace godwit::check
