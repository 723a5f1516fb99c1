#pragma once
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace godwit::base {

// One JSON document (RFC 8259) without white space, members in the order they have. A number with a fraction is the
// shortest text that reads back as the same double, written as people write it: 477.05 and 2.0, with an exponent only
// below 1e-6 and from 1e15 on.
std::string serialize(const json::value& value);
std::string serialize(const json::object& object);
std::string serialize(const json::array& array);
std::string serialize(std::string_view text);

// The same, at the end of `out`.
void append_json(const json::value& value, std::string& out);
// `number` must be finite.
void append_json(double number, std::string& out);

}  // namespace godwit::base
