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

}  // namespace godwit::control::commands
