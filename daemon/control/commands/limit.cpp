#include "control/commands/all.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

constexpr std::int64_t kPermitsMax = 1'000'000'000;

}  // namespace

Command limit_list(Services& services) {
  return {"limit.list", Role::viewer, "Lists the named limits, who holds their permits and how many wait.", {},
          [&services](Call call) { call.reply.result(services.engine.limits()); }};
}

Command limit_set(Services& services) {
  return {"limit.set", Role::admin, "Sets how many permits a named limit has, from now on and after restarts.",
          {{"name", ParameterType::text, true, "the limit's name"}, {"permits", ParameterType::count, true, "how many may be taken at once"}},
          [&services](Call call) {
            const std::string name = call.arguments.text("name");
            const auto permits = call.arguments.count("permits");
            if (permits > kPermitsMax) throw base::refused("a limit has at most " + std::to_string(kPermitsMax) + " permits");
            services.engine.set_limit(name, static_cast<int>(permits), call.caller, call.reply.when<engine::Nothing>([=, reply = call.reply](const auto&) {
              reply.result(json::object{{"name", name}, {"permits", permits}});
            }));
          }};
}

}  // namespace godwit::control::commands
