#pragma once
#include "base/json.hpp"

namespace godwit::jobfile {

namespace json = base::json;

// 5.0 is a whole number to JSON Schema, and a floating one to whoever reads JSON: division in an expression gives such.
// Whether `value` is one that an integer can hold.
bool is_fractionless(const json::value& value);
// Makes the integer of it.
void make_whole(json::value& value);
// Whether there is one in `value`, at any depth.
bool has_fractionless(const json::value& value);
// The same with integers for all of them.
json::value with_whole_numbers(json::value value);

}  // namespace godwit::jobfile
