#include "model/schedule.hpp"

#include <algorithm>

#include "base/suggest.hpp"

namespace godwit::model {
namespace {

namespace json = base::json;

constexpr auto kMissedWithinMax = std::chrono::days(31);
constexpr auto kJitterMax = std::chrono::days(1);
const std::vector<std::string> kKeys{"name",         "job",    "cron",          "calendar", "every",  "at",    "zone",
                                     "clock_change", "missed", "missed_within", "overlap",  "jitter", "params"};

// Takes the members of an object one by one and notes what is wrong with them.
class Members {
 public:
  explicit Members(const json::object& object) : object_(object) {}

  void problem(std::string_view key, std::string what, std::string hint = {}) {
    problems_.push_back({std::move(what), base::Place{.path = std::string(key)}, std::move(hint)});
  }
  std::optional<std::string> text(std::string_view key) {
    const auto* value = object_.if_contains(key);
    if (!value || value->is_null()) return std::nullopt;
    if (value->is_string()) return std::string(value->get_string());
    problem(key, "text is needed here");
    return std::nullopt;
  }
  template <typename Enum, typename Names>
  void choice(std::string_view key, const Names& names, Enum& into) {
    const auto given = text(key);
    if (!given) return;
    if (const auto value = value_in<Enum>(names, *given)) {
      into = *value;
      return;
    }
    std::string known;
    for (const auto name : names) known += (known.empty() ? "" : ", ") + std::string(name);
    problem(key, "'" + *given + "' is none of " + known);
  }
  void duration(std::string_view key, base::Duration most, base::Duration& into) {
    const auto given = text(key);
    if (!given) return;
    const auto value = base::parse_duration(*given);
    if (!value) return problem(key, "'" + *given + "' is no duration", "write 30s, 15m, 6h or 1d12h");
    if (*value > most) return problem(key, "at most " + base::format_duration(most) + " are possible");
    into = *value;
  }
  void timing(Timing& timing) {
    std::size_t given = 0;
    for (std::size_t kind = 0; kind < kTimingKinds.size(); ++kind) {
      const auto value = text(kTimingKinds[kind]);
      if (!value) continue;
      timing.kind = static_cast<Timing::Kind>(kind);
      timing.text = *value;
      if (++given == 2) problem(kTimingKinds[kind], "a schedule has one of cron, calendar, every, at");
    }
    if (given == 0 && problems_.empty()) problem({}, "nothing says when", "give cron, calendar, every or at");
  }
  void refuse_unknown() {
    for (const auto& member : object_)
      if (std::find(kKeys.begin(), kKeys.end(), std::string_view(member.key())) == kKeys.end())
        problem(member.key(), "a schedule has no '" + std::string(member.key()) + "'",
                base::suggest(member.key(), kKeys));
  }
  void check() {
    if (!problems_.empty()) throw base::Error(base::ErrorKind::refused, std::move(problems_));
  }

 private:
  const json::object& object_;
  std::vector<base::Error::Problem> problems_;
};

}  // namespace

json::object to_json(const Schedule& schedule) {
  return {{"name", schedule.name},
          {"job", schedule.job},
          {name_in(kTimingKinds, schedule.timing.kind), schedule.timing.text},
          {"zone", schedule.timing.zone},
          {"clock_change", name_in(kClockChanges, schedule.timing.clock_change)},
          {"missed", name_in(kMissed, schedule.missed)},
          {"missed_within", base::format_duration(schedule.missed_within)},
          {"overlap", name_in(kOverlaps, schedule.overlap)},
          {"jitter", base::format_duration(schedule.jitter)},
          {"params", schedule.params}};
}

Schedule schedule_from_json(const json::object& object) {
  Members members(object);
  Schedule schedule;
  members.refuse_unknown();
  schedule.name = members.text("name").value_or("");
  schedule.job = members.text("job").value_or("");
  if (!schedule.name.empty() && !is_schedule_name(schedule.name))
    members.problem("name", "'" + schedule.name.substr(0, 100) + "' cannot be a schedule's name",
                    "use letters, digits, _, -, . and /");
  members.timing(schedule.timing);
  schedule.timing.zone = members.text("zone").value_or("UTC");
  members.choice("clock_change", kClockChanges, schedule.timing.clock_change);
  members.choice("missed", kMissed, schedule.missed);
  members.duration("missed_within", kMissedWithinMax, schedule.missed_within);
  members.choice("overlap", kOverlaps, schedule.overlap);
  members.duration("jitter", kJitterMax, schedule.jitter);
  if (const auto* params = object.if_contains("params"); params && !params->is_null()) {
    if (params->is_object())
      schedule.params = params->get_object();
    else
      members.problem("params", "an object is needed here");
  }
  members.check();
  return schedule;
}

bool is_schedule_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == '/';
  };
  return !name.empty() && name.size() <= 100 && name.front() != '-' && std::all_of(name.begin(), name.end(), allowed);
}

}  // namespace godwit::model
