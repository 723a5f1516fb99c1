#pragma once
#include <string>
#include <string_view>

#include "cron/pattern.hpp"

namespace godwit::cron {

struct OnCalendar {
  Pattern pattern;
  std::string zone;  // empty when the expression names none
};

// Reads a calendar expression of systemd timers (systemd.time(7), "CALENDAR EVENTS"): "Mon..Fri *-*-* 02:30",
// "*-02~01", "Mon *-05~07/1", "00/2:15 Europe/Dublin", "weekly". Years go from 1970 to 2199. Fractions of a second and
// @SECONDS are not supported.
//
// Throws Error(refused), with a column, for anything else and for times that never come.
OnCalendar parse_on_calendar(std::string_view text);

}  // namespace godwit::cron
