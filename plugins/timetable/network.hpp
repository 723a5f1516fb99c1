#pragma once
#include <compare>
#include <cstdint>
#include <span>
#include <vector>

#include "timetable/catalog.hpp"

namespace timetable {

// An airline's non-stop service to `to` (indices into the catalog). `number` is the first of its flight numbers.
struct Service {
  int to = 0;
  int airline = 0;
  int number = 0;
  auto operator<=>(const Service&) const = default;
};

// An airline's way over one of its hubs, as the two services it is made of.
struct Connection {
  int hub = 0;
  Service first;
  Service second;
};

// Which airline flies where without a stop: from the route file when the catalog has one, else by the model of
// README.md.
class Network {
 public:
  Network(const Catalog& catalog, std::uint64_t seed);

  std::span<const Service> direct(int from, int to) const;
  std::vector<Connection> connections(int from, int to) const;
  std::size_t services() const;

 private:
  struct HubLink {
    int airline = 0;
    int hub = 0;
    int number = 0;
    bool operator<(const HubLink& other) const {
      return airline != other.airline ? airline < other.airline : hub < other.hub;
    }
  };

  void add_modelled(const Catalog& catalog, std::uint64_t seed);
  void add_from_file(const Catalog& catalog);
  void link_hubs(const Catalog& catalog, const std::vector<std::vector<int>>& hubs);

  std::vector<std::vector<Service>> from_;      // by airport
  std::vector<std::vector<HubLink>> to_hub_;    // by airport: from it to a hub of the airline
  std::vector<std::vector<HubLink>> from_hub_;  // by airport: from a hub of the airline to it
};

}  // namespace timetable
