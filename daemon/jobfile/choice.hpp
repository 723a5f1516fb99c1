#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace godwit::jobfile {

namespace json = base::json;

// Sets of names of which an object must have one: what a oneOf or anyOf says whose branches do nothing but require
// names.
class Choice {
 public:
  // Empty when the schema's keyword (oneOf, anyOf) says something else.
  static std::optional<Choice> of(const json::object& schema, std::string_view keyword);

  bool names(std::string_view name) const;
  // What is wrong with an object's names, in words; empty when nothing is.
  std::string complaint(const json::object& object) const;

 private:
  std::vector<std::vector<std::string>> sets_;
  bool only_one_ = false;
};

// The names that the schema requires, when it does nothing else.
std::optional<std::vector<std::string>> required_only(const json::value& schema);

}  // namespace godwit::jobfile
