#include "cron/zone.hpp"

#include <cctz/civil_time.h>
#include <cctz/time_zone.h>
#include <spdlog/fmt/fmt.h>

#include "base/error.hpp"

namespace godwit::cron {
namespace {

using std::chrono::seconds;

cctz::time_point<cctz::seconds> to_cctz(Zone::Seconds at) {
  return cctz::time_point<cctz::seconds>(at.time_since_epoch());
}

seconds count(const cctz::civil_second& civil) {
  return seconds(civil - cctz::civil_second(1970, 1, 1));
}

// A name of a zone, and not a path or another way out of the folder of zones that cctz would follow.
bool is_zone_name(const std::string& name) {
  if (name.empty() || name.size() > 64 || name.front() == '/' || name.find("..") != std::string::npos) return false;
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' ||
           c == '-' || c == '+';
  };
  for (const char c : name)
    if (!allowed(c)) return false;
  return name != "localtime";
}

}  // namespace

struct Zone::Rules {
  cctz::time_zone zone;
};

Zone Zone::find(const std::string& name) {
  auto rules = std::make_shared<Rules>();
  if (!is_zone_name(name) || !cctz::load_time_zone(name, &rules->zone))
    throw base::refused("there is no time zone '" + name + "'", {},
                        "give a name of the IANA list, such as Europe/Dublin, or UTC");
  return Zone(name, std::move(rules));
}

std::chrono::seconds Zone::offset(Seconds at) const {
  return seconds(rules_->zone.lookup(to_cctz(at)).offset);
}

// A change is where two civil times meet: its instant is the one before it less the offset that held until then.
// Changes of the name alone (from GMT to IST at one offset) are passed over.
Zone::Span Zone::span(Seconds at) const {
  Span span{.offset = offset(at)};
  span.before = span.offset;
  cctz::time_zone::civil_transition change;
  for (auto from = at; rules_->zone.next_transition(to_cctz(from), &change); from = span.end) {
    span.end = Seconds(count(change.from) - span.offset);
    if (change.from != change.to) break;
  }
  if (change.from == change.to) span.end = Seconds::max();
  for (auto until = at + seconds(1); rules_->zone.prev_transition(to_cctz(until), &change); until = span.begin) {
    span.begin = Seconds(count(change.to) - span.offset);
    if (change.from == change.to) continue;
    span.before = span.offset - (count(change.to) - count(change.from));
    break;
  }
  if (span.before == span.offset) span.begin = Seconds::min();
  return span;
}

std::string format_in_zone(base::Instant at, const Zone& zone) {
  const auto whole = std::chrono::floor<seconds>(at);
  const auto offset = zone.offset(whole);
  const auto local = whole + offset;
  const auto day = std::chrono::floor<std::chrono::days>(local);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(local - day);
  auto text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                          static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                          time.minutes().count(), time.seconds().count());
  if (const auto fraction = (at - whole).count(); fraction != 0) text += fmt::format(".{:06}", fraction);
  if (zone.name() == "UTC") return text + "Z";
  // RFC 3339 has no seconds in an offset; the local times of the 19th century, which have, are out of its reach.
  const auto minutes = std::chrono::floor<std::chrono::minutes>(std::chrono::abs(offset)).count();
  return text + fmt::format("{}{:02}:{:02}", offset < seconds(0) ? '-' : '+', minutes / 60, minutes % 60);
}

}  // namespace godwit::cron
