#pragma once
#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace godwit::base {

namespace json = boost::json;

// Nesting deeper than this is refused in everything that comes from outside: no honest document has it and recursion
// over it must stay safe.
inline constexpr std::size_t kJsonDepthMax = 64;
// Levels that godwit puts around such values when it stores and shows them.
inline constexpr std::size_t kJsonWrapMax = 32;

// Parses one JSON document (RFC 8259, UTF-8 checked) with up to kJsonDepthMax + kJsonWrapMax levels. Throws
// Error(refused) with the byte offset turned into line and column.
json::value parse_json(std::string_view text, const std::string& file = {});
// Whether `text` is one valid JSON document with up to kJsonDepthMax levels; allocates nothing. The reason goes to
// `why` when it is given.
bool is_json(std::string_view text, std::string* why = nullptr);
// Whether the value has more than kJsonDepthMax levels of lists and objects.
bool is_too_deep(const json::value& value);
// Serialised compactly with the members of every object sorted, so that equal values have equal text (hashes of
// arguments).
std::string canonical(const json::value& value);

}  // namespace godwit::base
