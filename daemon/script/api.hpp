#pragma once
#include <lua.hpp>
#include <string>
#include <vector>

namespace godwit::script {

// One parameter, or one field of a table of options. Types are written as LuaLS writes them: "string", "integer",
// "table<string, integer>", "fun(): any". A "?" at the end: it may be left out.
struct ApiField {
  std::string name;
  std::string type;
  std::string doc;

  bool optional() const { return type.ends_with('?'); }
};

// A table of options that functions take.
struct ApiTable {
  std::string name;  // "godwit.CallOptions"
  std::string doc;
  std::vector<ApiField> fields;
};

// One function of gw. This table registers the functions, prints the stubs for editors and the reference, and names
// the YAML key that means the same.
struct ApiFunction {
  std::string name;
  std::string doc;
  std::vector<ApiField> parameters;
  std::string result;  // LuaLS type, empty when it gives nothing
  std::string yaml;    // the twin, empty when there is none
  lua_CFunction call = nullptr;
};

const std::vector<ApiFunction>& api();
const std::vector<ApiTable>& api_tables();
const ApiTable& api_table(const std::string& name);

// Pushes gw.
void push_api(lua_State* lua);

// Checks the table of options that is argument `index` (it may be absent) against an ApiTable: unknown names are errors
// with a suggestion. Absent options become an empty table.
void check_options(lua_State* lua, int index, const char* function, const std::string& table);

// The parts of the table, by file.
std::vector<ApiFunction> step_functions();     // api_steps.cpp
std::vector<ApiFunction> holding_functions();  // api_holdings.cpp
std::vector<ApiFunction> loop_functions();     // api_loops.cpp
std::vector<ApiFunction> value_functions();    // api_values.cpp
int random_of(lua_State* lua);                 // math.random

}  // namespace godwit::script
