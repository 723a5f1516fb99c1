#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace godwit::jobfile {

// A keyword of JSON Schema and what it holds: data, a schema, a list of schemas, or schemas by name. `conditional` ones
// hold schemas that need not be true of the value. "items" may hold a list as well, "dependencies" lists of names as
// well.
struct Keyword {
  enum class Holds { data, schema, list, map };
  std::string_view name;
  Holds holds = Holds::data;
  bool conditional = false;
};

// Null for a word that is no keyword of the supported part of draft 7.
const Keyword* find_keyword(std::string_view name);
std::vector<std::string> keyword_names();

}  // namespace godwit::jobfile
