#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"

namespace godwit::model {

// What becomes of a fire time that the wall clock skips in spring or shows twice in autumn. Expressions that name every
// hour measure time that passes and need no rule.
enum class ClockChange {
  run_once,  // skipped: once, at the change. Twice: the first time
  skip,      // skipped: not at all. Twice: the first time
  both,      // skipped: once, at the change. Twice: both times
  shift,     // skipped: as much later as the clock was put forward. Twice: the first time
};
inline constexpr std::array<std::string_view, 4> kClockChanges{"run_once", "skip", "both", "shift"};

// What becomes of fire times that came while no node was there to fire them.
enum class Missed { none, last, all };
inline constexpr std::array<std::string_view, 3> kMissed{"none", "last", "all"};

// What happens when a schedule fires while a run of it has not ended.
enum class Overlap { queue, skip, cancel_older, allow };
inline constexpr std::array<std::string_view, 4> kOverlaps{"queue", "skip", "cancel_older", "allow"};

// When a schedule fires, as a person wrote it; cron::FireTimes makes instants of it.
struct Timing {
  enum class Kind {
    cron,      // "30 2 * * *", "@daily"
    calendar,  // systemd's OnCalendar=: "Mon..Fri 02:30"
    every,     // "15m", counted from 1970-01-01T00:00Z; "36h from 2026-01-01T00:00:00Z"
    at,        // "2026-12-24T18:00:00Z"; without an offset by the clock of the zone
  };
  Kind kind = Kind::cron;
  std::string text;
  std::string zone = "UTC";
  ClockChange clock_change = ClockChange::run_once;

  bool operator==(const Timing&) const = default;
};
inline constexpr std::array<std::string_view, 4> kTimingKinds{"cron", "calendar", "every", "at"};

// When a job runs by itself. Belongs to a job file or was made by an operator; one store knows it by its name.
struct Schedule {
  std::string name;
  std::string job;
  Timing timing;
  Missed missed = Missed::last;
  base::Duration missed_within = std::chrono::hours(24);  // what was missed longer ago than this is not made up for
  Overlap overlap = Overlap::skip;
  base::Duration jitter{};  // each fire is later by a part of this that the name decides
  base::json::object params;

  bool operator==(const Schedule&) const = default;
};

// {"name","job","cron"|"calendar"|"every"|"at","zone","clock_change","missed","missed_within","overlap","jitter","params"}.
base::json::object to_json(const Schedule& schedule);
// The same back; what is absent has its default. Does not read the expression itself. Throws Error(refused) with the
// key of each problem as its path.
Schedule schedule_from_json(const base::json::object& object);
// Whether it may be a schedule's name: letters, digits, _, -, . and /, at most 100.
bool is_schedule_name(std::string_view name);

template <typename Names, typename Enum>
std::string_view name_in(const Names& names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}
template <typename Enum, typename Names>
std::optional<Enum> value_in(const Names& names, std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<Enum>(i);
  return std::nullopt;
}

}  // namespace godwit::model
