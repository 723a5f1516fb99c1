#pragma once
#include <string_view>

#include "cron/pattern.hpp"

namespace godwit::cron {

// Reads a cron expression: five fields (minute, hour, day of month, month, day of week), six with seconds in front, or
// @hourly @daily @midnight @weekly @monthly @yearly @annually.
//
// A field is a list of parts with commas: * or a value or a range a-b, each with /step if wanted (a/step runs to the
// end of the field). Months and weekdays have English names of three letters; Sunday is 0 or 7. ? stands for * in the
// two day fields. Day of month also takes L (the last day), L-3 (three days before it), 15W (the weekday nearest to the
// 15th) and LW (the last weekday); day of week takes FRI#2 (the second Friday) and FRIL or L5 (the last Friday).
// As in Vixie's cron, a day is meant when either of the two day fields names it, but when one of them begins with *,
// both must.
//
// Throws Error(refused), with a column, for anything else, and for a time that never comes: 30 February.
Pattern parse_cron(std::string_view text);

}  // namespace godwit::cron
