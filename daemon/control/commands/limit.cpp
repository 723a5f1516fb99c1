#include "control/commands/all.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

constexpr std::int64_t kPermitsMax = 1'000'000'000;

}  // namespace

Command limit_list(Services& services) {
  return {"limit.list",
          Role::viewer,
          "Lists the named limits, who holds their permits and how many wait.",
          {},
          [&services](Call call) { call.reply.result(services.engine.limits()); }};
}

Command limit_set(Services& services) {
  return {"limit.set",
          Role::admin,
          "Sets how much a named limit lets through, from now on and after restarts.",
          {{"name", ParameterType::text, true, "the limit's name"},
           {"permits", ParameterType::count, false, "how many may be taken at once"},
           {"limit", ParameterType::text, false, "the same as text, or a rate: 10/s, 600/m burst 20"}},
          [&services](Call call) {
            const std::string name = call.arguments.text("name");
            const auto permits = call.arguments.count("permits");
            if (call.arguments.has("permits") == call.arguments.has("limit"))
              throw base::refused("give `permits` or `limit`, one of the two");
            if (permits > kPermitsMax)
              throw base::refused("a limit has at most " + std::to_string(kPermitsMax) + " permits");
            model::LimitSpec spec{.permits = static_cast<int>(permits)};
            if (call.arguments.has("limit")) {
              const auto given = model::parse_limit(call.arguments.text("limit"));
              if (!given)
                throw base::refused("'" + call.arguments.text("limit") + "' is no limit", base::Place{.path = "limit"},
                                    "write permits at once (4) or a rate (10/s, 600/m burst 20)");
              spec = *given;
            }
            services.engine.set_limit(
                name, spec, call.caller, call.reply.when<engine::Nothing>([=, reply = call.reply](const auto&) {
                  reply.result(
                      json::object{{"name", name}, {"permits", spec.permits}, {"limit", model::format_limit(spec)}});
                }));
          }};
}

Command limit_unset(Services& services) {
  return {"limit.unset",
          Role::admin,
          "Takes back what operators have set of a named limit: the settings' word counts again, or the jobs'.",
          {{"name", ParameterType::text, true, "the limit's name"}},
          [&services](Call call) {
            const std::string name = call.arguments.text("name");
            services.engine.set_limit(
                name, std::nullopt, call.caller,
                call.reply.when<engine::Nothing>([name, &services, reply = call.reply](const auto&) {
                  json::object now{{"name", name}, {"limit", nullptr}, {"source", nullptr}};
                  for (const auto& limit : services.engine.limits())
                    if (limit.at("name").as_string() == name)
                      for (const char* member : {"limit", "source"}) now[member] = limit.at(member);
                  reply.result(now);
                }));
          }};
}

}  // namespace godwit::control::commands
