#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "flights/sweep_state.hpp"

namespace flights {

// What a sweep needs of the world around it.
class SweepWorld {
 public:
  virtual ~SweepWorld() = default;
  // One search. Throws godwit::Failure. `key` names it within the sweep.
  virtual json::value search(const std::string& method, const json::object& args, const std::string& key) = 0;
  // Durable when it returns.
  virtual void save(const std::string& key, const json::value& value) = 0;
  virtual std::optional<json::value> load(const std::string& key) = 0;
  virtual void progress(std::int64_t done, std::int64_t total, const json::object& fields) = 0;
  virtual void wait(std::chrono::milliseconds time) = 0;
};

// Stage flights.sweep: searches from one origin to many destinations on many days, one after the other, in one step
// that saves its state after each search and goes on from there when it is started again.
//
// Two kinds of checkpoints keep each save small: "sweep" holds the index of the next search, the sums, and the prices
// by day of the destination being searched; "days/LIS" holds those of a finished destination and is written before the
// index leaves it.
class Sweep {
 public:
  // {origin, destinations, dates, search, filters, attempts, method}
  Sweep(const json::object& input, SweepWorld& world);
  json::object run();

 private:
  std::int64_t total() const { return static_cast<std::int64_t>(destinations_.size() * dates_.size()); }
  void restore();
  void step();
  json::value search_with_retries(const json::object& args, const std::string& key);
  void save(bool destination_finished, const std::string& destination);

  SweepWorld& world_;
  std::string origin_;
  std::vector<std::string> destinations_;
  std::vector<std::string> dates_;
  json::object search_args_;  // passed on with every search
  std::string method_;
  int attempts_ = 3;
  std::optional<Filters> filters_;
  std::int64_t index_ = 0;  // of the next search; all dates of a destination follow each other
  SweepState state_;
};

}  // namespace flights
