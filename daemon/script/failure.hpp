#pragma once
#include <lua.hpp>
#include <string>

#include "base/error.hpp"
#include "model/run.hpp"

namespace godwit::script {

// The metatable of what gw.job gives.
inline constexpr const char* kJobMark = "godwit.job";

// Errors as scripts see them: tables with `code`, `message` and `step` that print as a sentence.
void add_failure_type(lua_State* lua);
void push_failure(lua_State* lua, const std::string& step, const model::Failure& failure);
// What the error at `index` says, whatever a script raised; `step` gets the path of the step it is about, if any.
model::Failure failure_at(lua_State* lua, int index, std::string& step);

// Takes "flock.lua:12: " off the front of a message of Lua's and puts it into the place.
void split_place(std::string& message, base::Place& place);

}  // namespace godwit::script
