#include "control/commands/all.hpp"

namespace godwit::control::commands {

Command plugin_list(Services& services) {
  return {"plugin.list", Role::viewer, "Lists the installed plugins with their state.", {},
          [&services](Call call) { call.reply.result(services.list_plugins()); }};
}

Command plugin_show(Services& services) {
  return {"plugin.show", Role::viewer, "Shows one plugin: units, methods, schemas and the state of its host process.",
          {{"plugin", ParameterType::text, true, "the plugin's id"}},
          [&services](Call call) { call.reply.result(services.show_plugin(call.arguments.text("plugin"))); }};
}

Command plugin_reset(Services& services) {
  return {"plugin.reset", Role::operator_, "Lets a plugin start again that was stopped for its crashes.",
          {{"plugin", ParameterType::text, true, "the plugin's id"}},
          [&services](Call call) {
            const std::string plugin = call.arguments.text("plugin");
            services.reset_plugin(plugin);
            // Done whether or not the database is there, so its trace does not keep the answer waiting.
            services.store.append({engine::Audited{call.caller.uid, call.caller.name, "plugin.reset", plugin, "{}", base::now()}},
                                  [](const engine::Verdict&) {});
            call.reply.result(base::json::object{{"plugin", plugin}});
          }};
}

}  // namespace godwit::control::commands
