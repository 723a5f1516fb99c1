#include "timetable/fares.hpp"

#include <algorithm>

#include "timetable/chance.hpp"

namespace timetable {
namespace {

// The kilometres get cheaper with the distance: 10 cents each up to 1,000 km, then 6.5 up to 4,000 km, then 4.2.
std::int64_t distance_cents(int km) {
  const std::int64_t near = std::min(km, 1000);
  const std::int64_t middle = std::clamp(km - 1000, 0, 3000);
  const std::int64_t far = std::max(km - 4000, 0);
  return 2000 + 10 * near + 65 * middle / 10 + 42 * far / 10;
}

int kind_permille(AirlineKind kind) {
  switch (kind) {
    case AirlineKind::network:
      return 1000;
    case AirlineKind::low_cost:
      return 560;
    case AirlineKind::regional:
      return 940;
  }
  return 1000;
}

int weekday_permille(const Day& day) {
  constexpr int kFromMonday[] = {1050, 900, 920, 1000, 1120, 1000, 1150};
  return kFromMonday[day.weekday()];
}

// Seasons of the northern half of the Earth unless both ends are in the south.
int season_permille(const Airport& from, const Airport& to, const Day& day) {
  constexpr int kFromJanuary[] = {880, 890, 940, 1020, 1030, 1120, 1250, 1260, 1040, 970, 850, 1060};
  const bool south = from.latitude < 0 && to.latitude < 0;
  const bool holidays =
      (day.month() == 12 && day.day_of_month() >= 19) || (day.month() == 1 && day.day_of_month() <= 4);
  if (holidays) return 1340;
  return kFromJanuary[(day.month() - 1 + (south ? 6 : 0)) % 12];
}

int advance_permille(int days_ahead) {
  constexpr struct {
    int days;
    int permille;
  } kSteps[] = {{3, 1900}, {7, 1600}, {14, 1300}, {30, 1080}, {60, 950}, {120, 920}};
  for (const auto& step : kSteps) {
    if (days_ahead <= step.days) return step.permille;
  }
  return 1000;
}

int hour_permille(int hour) {
  if (hour < 7 || hour >= 22) return 920;
  if (hour < 9 || (hour >= 16 && hour < 20)) return 1050;
  return 1000;
}

}  // namespace

std::int64_t fare_cents(const FareCase& fare, std::uint64_t seed) {
  std::int64_t cents = distance_cents(distance_km(fare.from, fare.to));
  const auto scale = [&cents](int permille) { cents = cents * permille / 1000; };
  scale(kind_permille(fare.airline.kind));
  scale(Chance(seed).mix("airline").mix(fare.airline.iata).between(880, 1120));
  scale(weekday_permille(fare.day));
  scale(season_permille(fare.from, fare.to, fare.day));
  scale(advance_permille(fare.days_ahead));
  scale(hour_permille(fare.departure_hour));
  // How well this flight of this day has sold.
  scale(Chance(seed)
            .mix("demand")
            .mix(fare.airline.iata)
            .mix(static_cast<std::uint64_t>(fare.flight_number))
            .mix(fare.day.text())
            .between(850, 1150));
  if (fare.stops > 0) scale(860);
  return cents + 1500 * fare.stops;
}

int return_ticket_permille(AirlineKind kind) {
  return kind == AirlineKind::low_cost ? 1000 : 920;
}

}  // namespace timetable
