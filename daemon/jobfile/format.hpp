#pragma once
#include <array>
#include <string_view>

namespace godwit::jobfile {

inline constexpr std::array<std::string_view, 4> kFormats{"date", "date-time", "email", "uri"};

// Whether `text` has the format of that name, one of kFormats. Another one fits everything, as JSON Schema wants it: a
// plugin's schema may name it. In job files it is refused.
bool has_format(std::string_view text, std::string_view format);

}  // namespace godwit::jobfile
