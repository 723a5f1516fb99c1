#include "timetable/airport.hpp"

#include <algorithm>
#include <cmath>

namespace timetable {
namespace {

constexpr double kEarthRadiusKm = 6371.0;
constexpr double kRadians = 3.14159265358979323846 / 180.0;

}  // namespace

int distance_km(const Airport& from, const Airport& to) {
  const double half_latitude = (to.latitude - from.latitude) * kRadians / 2;
  const double half_longitude = (to.longitude - from.longitude) * kRadians / 2;
  const double chord = std::pow(std::sin(half_latitude), 2) + std::cos(from.latitude * kRadians) *
                                                                  std::cos(to.latitude * kRadians) *
                                                                  std::pow(std::sin(half_longitude), 2);
  // Rounding can lift the chord of two antipodes a little over one, where asin has no value.
  return static_cast<int>(std::lround(2 * kEarthRadiusKm * std::asin(std::sqrt(std::min(1.0, chord)))));
}

int eastward_permille(const Airport& from, const Airport& to) {
  const int km = distance_km(from, to);
  if (km == 0) return 0;
  const double turn = std::remainder(to.longitude - from.longitude, 360.0);
  const double middle = std::cos((from.latitude + to.latitude) / 2 * kRadians);
  const double east_km = turn * kRadians * middle * kEarthRadiusKm;
  return static_cast<int>(std::lround(std::clamp(east_km / km, -1.0, 1.0) * 1000));
}

}  // namespace timetable
