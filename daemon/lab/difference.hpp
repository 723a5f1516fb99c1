#pragma once
#include <string>
#include <vector>

#include "base/json.hpp"

namespace godwit::lab {

namespace json = base::json;

// How two values are held against each other: as wholes, or the second only as far as the first goes (an object's
// members that are not named may be anything).
enum class Match { whole, part };

// Where `got` is not what was expected, one line for each place: "price.amount: expected 120, got 140". Empty when
// nothing differs.
std::vector<std::string> differences(const json::value& expected, const json::value& got, Match match,
                                     const std::string& path);

// A value for a message: JSON, cut when it is long.
std::string shown(const json::value& value);

}  // namespace godwit::lab
