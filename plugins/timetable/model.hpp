#pragma once
#include <godwit/sdk.hpp>

#include <memory>
#include <string>
#include <vector>

#include "timetable/catalog.hpp"
#include "timetable/network.hpp"
#include "timetable/request.hpp"
#include "timetable/schedule.hpp"

namespace timetable {

// How the model is set up.
struct ModelOptions {
  std::uint64_t seed = 1;
  std::string currency = "EUR";
  int offers = 20;  // at most so many for a search, whatever the request allows
};

// Answers searches of flight-search/1 from the tables and the rules in README.md: the same request gets the same
// answer, always. Safe to use from several threads.
class Model {
 public:
  // Airports whose zone the system does not know are left out; `problems` names them.
  Model(Catalog catalog, const ModelOptions& options, std::vector<std::string>& problems);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  // Throws godwit::Failure as the contract says.
  json::object search(const json::object& args) const;

  const Catalog& catalog() const { return catalog_; }
  const Network& network() const { return network_; }

 private:
  std::vector<Journey> journeys(const Request& request, int from, int to, Day day) const;
  void add_direct(const Request& request, int from, int to, Day day, std::vector<Journey>& result) const;
  void add_connections(const Request& request, int from, int to, Day day, std::vector<Journey>& result) const;
  std::int64_t price(const Request& request, const Journey& journey, int from, int to) const;
  const Airport& airport(int index) const { return catalog_.airports()[static_cast<std::size_t>(index)]; }
  const Airline& airline(int index) const { return catalog_.airlines()[static_cast<std::size_t>(index)]; }

  ModelOptions options_;
  const Currency* currency_;
  Zones zone_table_;
  std::vector<const Zone*> zones_;  // by airport; filled while the catalog is cleaned
  Catalog catalog_;
  Network network_;
  Schedule schedule_;
};

}  // namespace timetable
