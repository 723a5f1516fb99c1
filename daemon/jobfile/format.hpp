#pragma once
#include <string_view>

namespace godwit::jobfile {

// Whether `text` has the format of that name: date, date-time, email, uri. A format nobody knows fits everything, as
// JSON Schema wants it.
bool has_format(std::string_view text, std::string_view format);

}  // namespace godwit::jobfile
