#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"

namespace godwit::jobfile {

namespace json = base::json;

// What the schema validator says of one spot of a value, in words that a person can act on.
struct Wording {
  std::string description;  // the validator's own
  std::string path;
  const json::value* value;                  // null when there is none
  std::vector<const json::object*> schemas;  // that speak of the spot whatever else is true, outermost first

  base::Error::Problem problem() const;
  // Whether it says only that something below is wrong, which is told there.
  bool is_summary() const;
  // Whether it is about names of which one must be given, which SchemaWalk tells.
  bool is_of_choice() const;

 private:
  const json::value* keyword(std::string_view name) const;
  std::string type_problem() const;
  std::string bound_problem() const;
  std::string branch_problem() const;
  std::string quoted() const;
};

// "a whole number or null", for the value of `type`.
std::string type_text(const json::value& type);
// "the number 7", "a list".
std::string kind_of(const json::value& value);
// What to write where text is wanted and the number, true or false `value` was given; empty when that does not help.
std::string quoting_hint(const json::value& type, const json::value& value);
inline constexpr std::string_view kQuotingHint = "write it in quotes: ";
// A number, true or false as text: "123" with its quotes.
std::string quoted_text(const json::value& value);

}  // namespace godwit::jobfile
