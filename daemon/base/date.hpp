#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace godwit::base {

// Dates of the calendar as ISO 8601 writes them, "2026-05-01", from year 0001 to 9999. Nothing else is read: no spaces,
// no signs.
std::optional<std::chrono::sys_days> parse_date(std::string_view text);
std::string format_date(std::chrono::sys_days day);

}  // namespace godwit::base
