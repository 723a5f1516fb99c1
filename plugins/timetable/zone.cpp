#include "timetable/zone.hpp"

#include <date/tz.h>

#include <chrono>

namespace timetable {
namespace {

using std::chrono::minutes;

int whole_minutes(std::chrono::seconds offset) {
  return static_cast<int>(std::chrono::floor<minutes>(offset).count());
}

}  // namespace

UtcMinutes Zone::to_utc(LocalMinutes local) const {
  // In the gap and in the overlap `first` holds the offset before the change, which is the answer in both.
  const auto info = rules_->get_info(date::local_seconds(minutes(local)));
  return local - whole_minutes(info.first.offset);
}

int Zone::offset_minutes(UtcMinutes utc) const {
  return whole_minutes(rules_->get_info(date::sys_seconds(minutes(utc))).offset);
}

const Zone* Zones::find(const std::string& name) {
  if (const auto known = zones_.find(name); known != zones_.end()) return known->second.get();
  std::unique_ptr<Zone> zone;
  try {
    zone = std::make_unique<Zone>(date::locate_zone(name));
    // The first question reads the file; asking now keeps every later search away from the disk.
    zone->offset_minutes(0);
  } catch (const std::exception&) {
    zone.reset();
  }
  return zones_.emplace(name, std::move(zone)).first->second.get();
}

}  // namespace timetable
