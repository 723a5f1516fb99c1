#include "timetable/network.hpp"

#include <algorithm>
#include <map>

#include "timetable/chance.hpp"

namespace timetable {
namespace {

// Each pair of airports of an airline has eight numbers: up to four departures in each direction, even away from the
// hub, odd back.
constexpr int kNumbersOfPair = 8;
constexpr int kFirstNumber = 100;
constexpr int kLastNumber = 9999;
constexpr std::size_t kHubsFromFile = 3;

struct Reach {
  int shortest_km;
  int longest_km;
};

Reach reach(AirlineKind kind) {
  switch (kind) {
    case AirlineKind::network:
      return {180, 13900};
    case AirlineKind::low_cost:
      return {250, 4200};
    case AirlineKind::regional:
      return {120, 2500};
  }
  return {};
}

// How likely it is, in per mille, that an airline serves an airport of that size at that distance from its main hub.
int share_served(AirlineKind kind, int size, int km) {
  if (kind == AirlineKind::low_cost) return km < 2500 ? 550 : 250;
  if (kind == AirlineKind::regional) return size == 1 ? 450 : 600;
  const int band = km < 4000 ? 0 : km < 9000 ? 1 : km < 11500 ? 2 : 3;
  constexpr int kShares[3][4] = {{620, 280, 80, 20}, {880, 700, 420, 150}, {960, 920, 780, 500}};
  return kShares[size - 1][band];
}

bool serves(const Airline& airline, std::size_t hub_rank, const Airport& hub, const Airport& airport,
            std::uint64_t seed) {
  const int km = distance_km(hub, airport);
  const Reach range = reach(airline.kind);
  if (km < range.shortest_km || km > range.longest_km) return false;
  const bool own_hub = std::find(airline.hubs.begin(), airline.hubs.end(), airport.iata) != airline.hubs.end();
  if (own_hub && airline.kind != AirlineKind::low_cost) return true;
  int share = share_served(airline.kind, airport.size, km);
  if (airport.country == airline.country)
    share = airline.kind == AirlineKind::low_cost ? 800 : 950;
  else if (hub_rank > 0 && airline.kind == AirlineKind::network)
    share /= 2;
  return Chance(seed).mix("route").mix(airline.iata).mix(hub.iata).mix(airport.iata).permille(share);
}

// Gives each pair of airports of an airline its own numbers, and begins again when a very large file uses them up.
class Numbering {
 public:
  int next(int airline) {
    int& next = next_.emplace(airline, kFirstNumber).first->second;
    const int number = next;
    next += kNumbersOfPair;
    if (next + kNumbersOfPair > kLastNumber) next = kFirstNumber;
    return number;
  }

 private:
  std::map<int, int> next_;
};

}  // namespace

Network::Network(const Catalog& catalog, std::uint64_t seed)
    : from_(catalog.airports().size()), to_hub_(catalog.airports().size()), from_hub_(catalog.airports().size()) {
  if (catalog.routes().empty())
    add_modelled(catalog, seed);
  else
    add_from_file(catalog);
}

void Network::add_modelled(const Catalog& catalog, std::uint64_t seed) {
  Numbering numbering;
  std::vector<std::vector<int>> hubs(catalog.airlines().size());
  for (std::size_t a = 0; a < catalog.airlines().size(); ++a) {
    const Airline& airline = catalog.airlines()[a];
    for (std::size_t rank = 0; rank < airline.hubs.size(); ++rank) {
      const int hub = catalog.find_airport(airline.hubs[rank]);
      if (hub == Catalog::kNone) continue;
      for (std::size_t x = 0; x < catalog.airports().size(); ++x) {
        const int other = static_cast<int>(x);
        // Between two hubs of one airline the first of them has made the route already.
        if (std::find(hubs[a].begin(), hubs[a].end(), other) != hubs[a].end()) continue;
        if (!serves(airline, rank, catalog.airports()[static_cast<std::size_t>(hub)], catalog.airports()[x], seed))
          continue;
        const int number = numbering.next(static_cast<int>(a));
        from_[static_cast<std::size_t>(hub)].push_back({other, static_cast<int>(a), number});
        from_[x].push_back({hub, static_cast<int>(a), number + 1});
      }
      hubs[a].push_back(hub);
    }
    // A low-cost airline sells flights from one place to another and no connections.
    if (airline.kind == AirlineKind::low_cost) hubs[a].clear();
  }
  link_hubs(catalog, hubs);
}

void Network::add_from_file(const Catalog& catalog) {
  Numbering numbering;
  std::map<std::pair<int, std::pair<int, int>>, int> numbers;
  std::vector<std::map<int, int>> degrees(catalog.airlines().size());
  for (const FileRoute& route : catalog.routes()) {
    const auto pair = std::minmax(route.from, route.to);
    const auto [place, added] =
        numbers.emplace(std::make_pair(route.airline, std::make_pair(pair.first, pair.second)), 0);
    if (added) place->second = numbering.next(route.airline);
    from_[static_cast<std::size_t>(route.from)].push_back(
        {route.to, route.airline, place->second + (route.from > route.to ? 1 : 0)});
    ++degrees[static_cast<std::size_t>(route.airline)][route.from];
  }
  // An airline of the file has its hubs where most of its routes begin.
  std::vector<std::vector<int>> hubs(catalog.airlines().size());
  for (std::size_t a = 0; a < degrees.size(); ++a) {
    if (catalog.airlines()[a].kind == AirlineKind::low_cost) continue;
    std::vector<std::pair<int, int>> ranked;
    for (const auto& [airport, degree] : degrees[a]) ranked.emplace_back(-degree, airport);
    std::sort(ranked.begin(), ranked.end());
    for (std::size_t i = 0; i < std::min(ranked.size(), kHubsFromFile); ++i) {
      if (ranked[i].first * 4 > ranked[0].first) break;  // degrees are negative: less than a quarter of the largest
      hubs[a].push_back(ranked[i].second);
    }
  }
  link_hubs(catalog, hubs);
}

void Network::link_hubs(const Catalog& catalog, const std::vector<std::vector<int>>& hubs) {
  for (std::size_t x = 0; x < catalog.airports().size(); ++x) {
    auto& services = from_[x];
    std::sort(services.begin(), services.end());
    const auto same = [](const Service& a, const Service& b) { return a.to == b.to && a.airline == b.airline; };
    services.erase(std::unique(services.begin(), services.end(), same), services.end());
    for (const Service& service : services) {
      const auto& own = hubs[static_cast<std::size_t>(service.airline)];
      const auto is_hub = [&own](int airport) { return std::find(own.begin(), own.end(), airport) != own.end(); };
      if (is_hub(service.to)) to_hub_[x].push_back({service.airline, service.to, service.number});
      if (is_hub(static_cast<int>(x)))
        from_hub_[static_cast<std::size_t>(service.to)].push_back(
            {service.airline, static_cast<int>(x), service.number});
    }
  }
  for (auto& links : to_hub_) std::sort(links.begin(), links.end());
  for (auto& links : from_hub_) std::sort(links.begin(), links.end());
}

std::span<const Service> Network::direct(int from, int to) const {
  const auto& services = from_[static_cast<std::size_t>(from)];
  const auto begin = std::lower_bound(services.begin(), services.end(), Service{to, 0, 0});
  const auto end = std::lower_bound(begin, services.end(), Service{to + 1, 0, 0});
  return {begin, end};
}

std::vector<Connection> Network::connections(int from, int to) const {
  std::vector<Connection> result;
  const auto& first = to_hub_[static_cast<std::size_t>(from)];
  const auto& second = from_hub_[static_cast<std::size_t>(to)];
  for (auto a = first.begin(), b = second.begin(); a != first.end() && b != second.end();) {
    if (*a < *b)
      ++a;
    else if (*b < *a)
      ++b;
    else {
      if (a->hub != from && a->hub != to)
        result.push_back({a->hub, Service{a->hub, a->airline, a->number}, Service{to, b->airline, b->number}});
      ++a;
      ++b;
    }
  }
  return result;
}

std::size_t Network::services() const {
  std::size_t count = 0;
  for (const auto& services : from_) count += services.size();
  return count;
}

}  // namespace timetable
