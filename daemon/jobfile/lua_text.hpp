#pragma once
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "model/job.hpp"

namespace godwit::jobfile {

namespace json = base::json;

// Values as Lua source.

// "text" with what Lua needs escaped.
std::string lua_string(std::string_view text);
// JSON as constructors of tables; over several lines when it is long, the further ones indented by `indent`.
std::string lua_value(const json::value& value, std::size_t indent);
// The same with ${...} as the Lua expressions they are: a text of one expression becomes the expression, a longer one
// is put together.
std::string lua_template(const json::value& value, std::size_t indent);
// A name as a table's key: name, or ["any text"].
std::string lua_key(std::string_view name);

}  // namespace godwit::jobfile
