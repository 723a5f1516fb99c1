#pragma once
#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace godwit::base {

namespace json = boost::json;

// Nesting deeper than this is refused everywhere: no honest document has it and recursion over it must stay safe.
inline constexpr std::size_t kJsonDepthMax = 64;

// Parses one JSON document (RFC 8259, UTF-8 checked). Throws Error(refused) with the byte offset turned into line and
// column.
json::value parse_json(std::string_view text, const std::string& file = {});
// Whether `text` is one valid JSON document; allocates nothing. The reason goes to `why` when it is given.
bool is_json(std::string_view text, std::string* why = nullptr);
// Serialised compactly with the members of every object sorted, so that equal values have equal text (hashes of
// arguments).
std::string canonical(const json::value& value);

}  // namespace godwit::base
