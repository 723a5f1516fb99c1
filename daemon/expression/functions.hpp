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

// Registers all of them in the table on top of the stack, with Lua's own functions that are harmless, and the constant
// null.
void add_functions(lua_State* lua);
// Whether `name` is one of them, and all their names.
bool is_function(std::string_view name);
const std::vector<std::string>& function_names();

}  // namespace godwit::expression
