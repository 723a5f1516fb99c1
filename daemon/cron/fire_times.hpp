#pragma once
#include <optional>
#include <variant>

#include "base/time.hpp"
#include "cron/pattern.hpp"
#include "cron/zone.hpp"
#include "model/schedule.hpp"

namespace godwit::cron {

// The instants at which a schedule fires: a pure function of what was written and of the zone's rules. Safe to read
// from several threads.
class FireTimes {
 public:
  // Throws Error(refused) for what cannot be read, for a zone that does not exist and for times that never come.
  explicit FireTimes(const model::Timing& timing);

  // The first instant after `after`; empty when there is none. Takes microseconds, however far away it is.
  std::optional<base::Instant> next(base::Instant after) const;
  const Zone& zone() const { return zone_; }

 private:
  struct Interval {
    base::Instant anchor;
    base::Duration step;
  };
  std::optional<base::Instant> next_of(const Interval& interval, base::Instant after) const;
  std::optional<base::Instant> next_of(base::Instant once, base::Instant after) const;
  std::optional<base::Instant> next_of(const Pattern& pattern, base::Instant after) const;
  std::optional<Zone::Seconds> first_in(const Pattern& pattern, const Zone::Span& span, Zone::Seconds from) const;
  std::optional<Zone::Seconds> made_up(const Pattern& pattern, const Zone::Span& span, Zone::Seconds from) const;

  Zone zone_;
  model::ClockChange rule_;
  std::variant<Pattern, Interval, base::Instant> what_;
};

}  // namespace godwit::cron
