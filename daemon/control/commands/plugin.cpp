#include "control/commands/all.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

// The circuit breakers of its providers, those of which a call went wrong.
void add_breakers(const Services& services, json::object& plugin) {
  json::array own;
  const auto* id = plugin.if_contains("id");
  if (!id || !id->is_string()) return;
  for (const auto& breaker : services.engine.breakers())
    if (breaker.at("plugin") == *id) own.push_back(breaker);
  if (!own.empty()) plugin["breakers"] = std::move(own);
}

}  // namespace

Command plugin_list(Services& services) {
  return {"plugin.list", Role::viewer, "Lists the installed plugins with their state.", {}, [&services](Call call) {
            auto plugins = services.list_plugins();
            for (auto& plugin : plugins) add_breakers(services, plugin.as_object());
            call.reply.result(plugins);
          }};
}

Command plugin_show(Services& services) {
  return {"plugin.show",
          Role::viewer,
          "Shows one plugin: units, methods, schemas and the state of its host process.",
          {{"plugin", ParameterType::text, true, "the plugin's id"}},
          [&services](Call call) {
            auto plugin = services.show_plugin(call.arguments.text("plugin"));
            add_breakers(services, plugin);
            call.reply.result(plugin);
          }};
}

Command plugin_reset(Services& services) {
  return {"plugin.reset",
          Role::operator_,
          "Lets a plugin start again that was stopped for its crashes.",
          {{"plugin", ParameterType::text, true, "the plugin's id"}},
          [&services](Call call) {
            const std::string plugin = call.arguments.text("plugin");
            const bool was_stopped = services.reset_plugin(plugin);
            // Done whether or not the database is there, so its trace does not keep the answer waiting.
            services.store.append(
                {engine::Audited{call.caller.uid, call.caller.name, "plugin.reset", plugin, "{}", base::now()}},
                [](const engine::Verdict&) {});
            call.reply.result(base::json::object{{"plugin", plugin}, {"was_stopped", was_stopped}});
          }};
}

}  // namespace godwit::control::commands
