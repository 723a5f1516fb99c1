#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "timetable/chance.hpp"
#include "timetable/model.hpp"
#include "timetable/openflights.hpp"

namespace json = godwit::json;

namespace {

using timetable::Catalog;
using timetable::Chance;
using timetable::LoadReport;

constexpr std::string_view kSettings[] = {"seed",      "currency", "offers",   "delay_ms",
                                          "fail_rate", "airports", "airlines", "routes"};

[[noreturn]] void bad_config(std::string_view key, const std::string& what) {
  godwit::fail("bad_config", std::string(key) + ": " + what);
}

std::int64_t whole(const json::object& config, std::string_view key, std::int64_t low, std::int64_t high,
                   std::int64_t otherwise) {
  const json::value* value = config.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr) return otherwise;
  boost::system::error_code problem;
  const std::int64_t number = value->is_number() ? value->to_number<std::int64_t>(problem) : 0;
  if (!value->is_number() || problem || number < low || number > high)
    bad_config(key, "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return number;
}

double share(const json::object& config, std::string_view key) {
  const json::value* value = config.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr) return 0;
  const double number = value->is_number() ? value->to_number<double>() : -1;
  if (!(number >= 0 && number <= 1)) bad_config(key, "must be a number from 0 to 1");
  return number;
}

std::string text(const json::object& config, std::string_view key, std::string_view otherwise) {
  const json::value* value = config.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr) return std::string(otherwise);
  if (!value->is_string()) bad_config(key, "must be a string");
  return std::string(value->get_string());
}

void say(const std::string& what) {
  std::fprintf(stderr, "timetable: %s\n", what.c_str());
}

template <typename Load>
void load_file(const json::object& config, std::string_view key, Catalog& catalog, Load load) {
  const std::string path = text(config, key, "");
  if (path.empty()) return;
  errno = 0;
  std::ifstream input(path);
  if (!input) bad_config(key, "cannot read " + path + ": " + std::strerror(errno));
  const LoadReport report = load(input, path, catalog);
  // Reading a directory opens well and then gives nothing.
  if (report.rows == 0) bad_config(key, path + " holds no records");
  say(report.text());
}

Catalog load_catalog(const json::object& config) {
  for (const auto& member : config) {
    const std::string_view key(member.key().data(), member.key().size());
    if (std::find(std::begin(kSettings), std::end(kSettings), key) == std::end(kSettings))
      bad_config(key, "there is no such setting");
  }
  Catalog catalog = Catalog::built_in();
  load_file(config, "airports", catalog, timetable::load_airports);
  load_file(config, "airlines", catalog, timetable::load_airlines);
  load_file(config, "routes", catalog, timetable::load_routes);
  return catalog;
}

timetable::ModelOptions options(const json::object& config) {
  return {static_cast<std::uint64_t>(whole(config, "seed", 0, INT64_MAX, 1)), text(config, "currency", "EUR"),
          static_cast<int>(whole(config, "offers", 1, 250, 20))};
}

// Provider unit of flight-search/1 that answers from a model and needs no network.
class Timetable {
 public:
  explicit Timetable(const json::object& config)
      : seed_(static_cast<std::uint64_t>(whole(config, "seed", 0, INT64_MAX, 1))),
        delay_(whole(config, "delay_ms", 0, 3'600'000, 0)),
        fail_rate_(share(config, "fail_rate")),
        model_(load_catalog(config), options(config), problems_) {
    for (const std::string& problem : problems_) say(problem);
  }

  json::value call(godwit::Call& call, std::string_view method, const json::object& args) {
    if (method != "search")
      godwit::fail("unknown_method", "timetable has one method, search; there is no '" + std::string(method) + "'");
    call.sleep_for(delay_);
    json::object answer = model_.search(args);
    if (is_to_fail(call, args))
      godwit::retry("upstream",
                    "the timetable was told to fail some searches (setting fail_rate); this is one of them");
    return answer;
  }

 private:
  // Depends on the search and on the attempt, so that a retry of a failed search can succeed and a repeated run fails
  // in the same places.
  bool is_to_fail(const godwit::Call& call, const json::object& args) const {
    if (fail_rate_ <= 0) return false;
    Chance chance(seed_);
    chance.mix("fail").mix(static_cast<std::uint64_t>(call.attempt()));
    for (const std::string_view name : {"origin", "destination", "depart", "return"}) {
      const json::value* value = args.if_contains(json::string_view(name.data(), name.size()));
      chance.mix(value == nullptr ? std::string() : json::serialize(*value));
    }
    return chance.between(0, 999'999) < static_cast<int>(fail_rate_ * 1'000'000);
  }

  std::uint64_t seed_;
  std::chrono::milliseconds delay_;
  double fail_rate_;
  std::vector<std::string> problems_;  // filled while the model is made
  timetable::Model model_;
};

}  // namespace

GODWIT_PROVIDER(Timetable, "timetable")
GODWIT_PLUGIN(&gw_unit_Timetable)
