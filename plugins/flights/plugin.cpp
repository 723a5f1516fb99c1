#include <godwit/sdk.hpp>

#include <chrono>

#include "flights/group.hpp"
#include "flights/selection.hpp"
#include "flights/sweep.hpp"

namespace json = godwit::json;

namespace {

class Filter {
 public:
  explicit Filter(const json::object&) {}
  json::value run(godwit::Call&, const json::object& input) { return flights::filter_offers(input); }
};

class Cheapest {
 public:
  explicit Cheapest(const json::object&) {}
  json::value run(godwit::Call&, const json::object& input) { return flights::cheapest_offers(input); }
};

class RankGroup {
 public:
  explicit RankGroup(const json::object&) {}
  json::value run(godwit::Call&, const json::object& input) { return flights::rank_group(input); }
};

class SweepFold {
 public:
  explicit SweepFold(const json::object&) {}
  json::value run(godwit::Call&, const json::object& input) { return flights::sweep_fold(input); }
};

// The world of a sweep that runs as a step of godwit.
class CallWorld : public flights::SweepWorld {
 public:
  explicit CallWorld(godwit::Call& call) : call_(call) {}

  json::value search(const std::string& method, const json::object& args, const std::string& key) override {
    call_.check_cancel();
    return call_.invoke(method, args, key);
  }
  void save(const std::string& key, const json::value& value) override { call_.checkpoint_put(key, value); }
  std::optional<json::value> load(const std::string& key) override { return call_.checkpoint_get(key); }
  void progress(std::int64_t done, std::int64_t total, const json::object& fields) override {
    call_.progress(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total), fields);
  }
  void wait(std::chrono::milliseconds time) override { call_.sleep_for(time); }

 private:
  godwit::Call& call_;
};

class LongSweep {
 public:
  explicit LongSweep(const json::object&) {}
  json::value run(godwit::Call& call, const json::object& input) {
    CallWorld world(call);
    return flights::Sweep(input, world).run();
  }
};

}  // namespace

GODWIT_STAGE(Filter, "flights.filter")
GODWIT_STAGE(Cheapest, "flights.cheapest")
GODWIT_STAGE(RankGroup, "flights.rank_group")
GODWIT_STAGE(SweepFold, "flights.sweep_fold")
GODWIT_STAGE(LongSweep, "flights.sweep")
GODWIT_PLUGIN(&gw_unit_Filter, &gw_unit_Cheapest, &gw_unit_RankGroup, &gw_unit_SweepFold, &gw_unit_LongSweep)
