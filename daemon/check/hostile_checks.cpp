#include <memory>

#include "check/checks.hpp"

namespace godwit::check {
namespace {

namespace json = base::json;

constexpr int kNthMax = 20;  // of the calls of one host function

// A status that no header names means GW_FAILED.
constexpr gw_status kUnknownStatus = 77;

std::string deep(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

}  // namespace

void check_no_extensions(Session& session) {
  session.plugin();
  give_extensions({});
  for (const auto& target : session.targets()) {
    std::unique_ptr<Instance> instance;
    try {
      instance = session.open(target);
    } catch (const base::Error& error) {
      session.note("without extensions " + std::string(error.what()));
      continue;
    }
    for (int i = 0; i < 10; ++i) {
      const auto input = session.input(target);
      if (!input) break;
      session.doing("calling " + target.name() + " without extensions with " + input->substr(0, 500));
      session.complaints(target.name(), instance->run(target.method, *input));
    }
  }
}

void check_failing_host(Session& session) {
  session.limit_time(std::chrono::seconds(60));
  std::size_t faults = 0;
  for (const auto& target : session.targets()) {
    const auto instance = session.open(target);
    const auto input = session.good_input(target, *instance);
    if (!input) continue;
    const Ran clean = instance->run(target.method, *input);
    for (std::size_t f = 0; f < kHostFunctions.size(); ++f)
      for (int nth = 1; nth <= std::min(clean.counts[f], kNthMax) && session.time_left(); ++nth)
        for (const gw_status status : {gw_status(GW_FAILED), gw_status(GW_RETRY), gw_status(GW_CANCELLED),
                                       gw_status(GW_TOO_BIG), gw_status(GW_INVALID), kUnknownStatus}) {
          const auto function = static_cast<HostFunction>(f);
          const std::string where = std::string(kHostFunctions[f]) + "() gives status " + std::to_string(status) +
                                    " at call " + std::to_string(nth);
          session.doing("calling " + target.name() + " while " + where);
          CallPlan plan;
          plan.fault = Fault{function, nth, status};
          const Ran ran = instance->run(target.method, *input, std::move(plan));
          session.complaints(target.name() + " while " + where, ran);
          if (ran.output_failed && ran.status == GW_OK && !ran.output)
            session.error(target.name() + " gives GW_OK although output() gave status " + std::to_string(status) +
                          ": the result would be null");
          ++faults;
        }
  }
  session.note(std::to_string(faults) + " faults were tried");
}

void check_hostile_input(Session& session) {
  const std::vector<std::string> inputs{"{}",
                                        "[]",
                                        "null",
                                        "7",
                                        "\"text\"",
                                        "",
                                        "{",
                                        "\xFF\xFE",
                                        "{\"a\":" + deep(60) + "}",
                                        deep(5000),
                                        "{\"a\":\"" + std::string(4u << 20, 'x') + "\"}",
                                        "{\"\":{\"\":null}}",
                                        std::string("{\"a\":1}\0", 8)};
  for (const auto& target : session.targets()) {
    const auto instance = session.open(target);
    for (const auto& input : inputs) {
      session.doing("calling " + target.name() + " with the input " + input.substr(0, 60) +
                    (input.size() > 60 ? "... (" + std::to_string(input.size()) + " bytes)" : ""));
      // Whether bytes that are no JSON are given back as the result is the daemon's to notice.
      Ran ran = instance->run(target.method, input);
      if (base::is_json(input)) session.complaints(target.name(), ran);
    }
    if (target.unit->kind != wire::UnitKind::provider) continue;
    for (const std::string& method : {std::string("no such method"), std::string(), std::string(100'000, 'm')}) {
      session.doing("calling the method \"" + method.substr(0, 30) + "\" of " + target.unit->id);
      if (instance->run(method, "{}").status == GW_OK)
        session.error(target.unit->id + " gives GW_OK for the method \"" + method.substr(0, 30) +
                      "\", which it does not have");
    }
  }
}

void check_hostile_config(Session& session) {
  const std::vector<std::string> configs{
      "{}", "{\"unknown\":" + deep(60) + "}", "[]", "null", "", "{", "{\"x\":\"" + std::string(1u << 20, 'x') + "\"}"};
  for (const auto& unit : session.manifest().units) {
    const gw_unit* own = session.plugin().find(unit.id);
    if (!own) continue;
    for (const auto& config : configs) {
      session.doing("opening " + unit.id + " with the configuration " + config.substr(0, 60));
      try {
        const Instance instance(*own, config);
      } catch (const base::Error& error) {
        // A refusal is what is wanted; that it has a reason helps the operator.
        if (std::string_view(error.what()).ends_with("it gave no reason"))
          session.warning(std::string(error.what()) + " with the configuration " + config.substr(0, 60) +
                          "; call fail() before you return");
      }
    }
  }
}

}  // namespace godwit::check
