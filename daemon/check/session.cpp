#include "check/session.hpp"

#include <algorithm>
#include <numeric>

#include "base/json_text.hpp"
#include "check/value_maker.hpp"
#include "wire/elf_note.hpp"

namespace godwit::check {
namespace {

namespace json = base::json;

constexpr int kTriesMax = 200;
constexpr int kGoodTriesMax = 50;
constexpr int kGoodEnough = 8;
constexpr auto kGoodSearch = std::chrono::seconds(1);
constexpr auto kGoodTime = std::chrono::seconds(2);

}  // namespace

Session::Session(const CheckOptions& options, Sink& sink) : options_(options), sink_(sink), random_(options.seed) {}

const wire::Manifest& Session::manifest() {
  if (!manifest_) manifest_ = wire::parse_manifest(wire::read_manifest_note(options_.plugin), options_.plugin);
  return *manifest_;
}

std::vector<Target> Session::targets() {
  std::vector<Target> targets;
  for (const auto& unit : manifest().units)
    for (const auto& [name, method] : unit.methods) targets.push_back({&unit, name, &method});
  return targets;
}

void Session::found(Severity severity, const std::string& what) {
  if (told_.insert(what).second) sink_.finding({severity, what});
}

void Session::doing(const std::string& what) {
  if (what == doing_) return;
  doing_ = what;
  sink_.doing(what);
}

void Session::complaints(const std::string& where, const Ran& ran) {
  for (const auto& text : ran.complaints) error(where + ": " + text);
}

Plugin& Session::plugin() {
  if (!plugin_) {
    give_extensions(wire::given_extensions(manifest(), options_.developer));
    doing("loading the plugin");
    plugin_.emplace(options_.plugin);
  }
  return *plugin_;
}

std::string Session::config_of(const wire::Unit& unit) const {
  const json::value* given = options_.config.if_contains(unit.id);
  return given ? base::serialize(*given) : "{}";
}

std::unique_ptr<Instance> Session::open(const Target& target) {
  const gw_unit* unit = plugin().find(target.unit->id);
  if (!unit)
    throw base::Error(base::ErrorKind::failed,
                      "the unit \"" + target.unit->id + "\" of the manifest is not in the file");
  doing("opening " + target.unit->id);
  return std::make_unique<Instance>(*unit, config_of(*target.unit));
}

const jobfile::Schema& Session::schema_of(const Target& target) {
  const std::string name = target.name();
  const auto found = schemas_.find(name);
  if (found != schemas_.end()) return found->second;
  return schemas_.emplace(name, jobfile::Schema(target.info->args, "the args of " + name)).first->second;
}

std::optional<std::string> Session::input(const Target& target) {
  const json::value* given = options_.inputs.if_contains(target.name());
  if (given && given->is_array() && !given->get_array().empty())
    return base::serialize(
        given->get_array()[std::uniform_int_distribution<std::size_t>(0, given->get_array().size() - 1)(random_)]);
  if (target.info->args.empty()) return "{}";
  const jobfile::Schema& schema = schema_of(target);
  ValueMaker maker(target.info->args, random_);
  for (int i = 0; i < kTriesMax; ++i) {
    const json::value value = maker.make();
    if (value.is_object() && schema.violations(value).empty()) return base::serialize(value);
  }
  return std::nullopt;
}

std::optional<std::string> Session::good_input(const Target& target, const Instance& instance) {
  const auto known = good_.find(target.name());
  if (known != good_.end()) return known->second;
  std::optional<std::string> best;
  std::string why;
  int busiest = -1, successes = 0;
  bool any = false;
  const auto enough = std::chrono::steady_clock::now() + kGoodSearch;
  for (int i = 0; i < kGoodTriesMax && successes < kGoodEnough && time_left(); ++i) {
    if (best && std::chrono::steady_clock::now() > enough) break;
    const auto text = input(target);
    if (!text) break;
    doing("calling " + target.name() + " with " + text->substr(0, 500));
    CallPlan plan;
    plan.time = kGoodTime;
    const Ran ran = instance.run(target.method, *text, std::move(plan));
    any = true;
    why = ran.text();
    if (ran.status != GW_OK) continue;
    ++successes;
    const int calls = std::accumulate(ran.counts.begin(), ran.counts.end(), 0);
    if (calls > busiest) best = text;
    busiest = std::max(busiest, calls);
  }
  if (!any) {
    warning(
        target.name() +
        ": no input can be made that fits its schema; put \"examples\" into the schema, or give some with --inputs");
    return std::nullopt;
  }
  if (!best) {
    warning(target.name() + ": no input was found with which it succeeds (the last said: " + why.substr(0, 200) +
            "); put \"examples\" into its schema, or give some with --inputs");
    best = input(target);
  }
  if (best) good_.emplace(target.name(), *best);
  return best;
}

std::string Session::bad_input(const Target& target) {
  ValueMaker maker(target.info->args, random_);
  const auto text = input(target);
  json::value value = text ? base::parse_json(*text) : maker.any();
  const int changes = 1 + static_cast<int>(random_() % 3);
  for (int i = 0; i < changes; ++i) value = maker.spoil(std::move(value));
  return base::serialize(value);
}

}  // namespace godwit::check
