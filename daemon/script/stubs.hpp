#pragma once
#include <string>
#include <vector>

#include "base/json.hpp"

namespace godwit::script {

// A method of an installed plugin, for the stubs.
struct StubMethod {
  std::string callable;  // "timetable.search"
  std::string doc;
  base::json::object args;  // JSON Schema; may be empty
};

// What editors read: LuaLS annotations of gw, from the table that registers it, and of gw.call with these methods.
std::string stubs(const std::vector<StubMethod>& methods = {});
// The same table for people, as Markdown.
std::string reference();

}  // namespace godwit::script
