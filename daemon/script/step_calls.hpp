#pragma once
#include <lua.hpp>
#include <string>

namespace godwit::script {

// What the functions of gw that ask for a step have in common.

// The continuation of a step: gives its output, or raises its failure.
int give_output(lua_State* lua, int status, lua_KContext context);
// The option `name` of the options at `index`; empty when it is absent.
std::string take_name(lua_State* lua, int index, const char* function);
// The options without `name`, which is no key of a stage, as JSON. The script's table is left as it is.
std::string options_text(lua_State* lua, int index, const char* function);

}  // namespace godwit::script
