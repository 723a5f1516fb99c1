#pragma once
#include <lua.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::expression {

// A function of the language: what it is called and what it does.
struct Function {
  const char* name;
  lua_CFunction call;
};

// The functions over lists, over texts and values; each list is in the file of its name (functions_lists.cpp,
// functions_values.cpp).
const std::vector<Function>& list_functions();
const std::vector<Function>& value_functions();
// table.sort: stable, and safe with any comparison.
int sort_in_place(lua_State* lua);

// Replaces the table on top of the stack by userdata that gives its members and cannot be written to by anything.
void wrap_library(lua_State* lua);

// One of Lua's own libraries: what of it is kept as it is, and what is added or replaced.
struct Library {
  const char* name;
  lua_CFunction open;
  std::vector<const char*> kept;
  std::vector<Function> own;
};
// What of Lua's own libraries is left in ${...}: nothing that reaches outside, waits, remembers, differs from run to
// run, or can spend an unbounded time in one call. Metatables are out with all their tricks; so are patterns.
const std::vector<Library>& expression_libraries();

// Registers in the table on top of the stack all functions above, `libraries`, Lua's own functions that are harmless,
// and the constant null. The libraries cannot be written to, nor can the methods of texts.
void add_functions(lua_State* lua, const std::vector<Library>& libraries);
// Whether `name` is one of them, and all their names.
bool is_function(std::string_view name);
const std::vector<std::string>& function_names();

}  // namespace godwit::expression
