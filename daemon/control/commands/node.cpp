#include "control/commands/all.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

Command drain(Services& services, std::string_view method, std::string_view summary, bool draining) {
  return {method,
          Role::admin,
          summary,
          {{"node", ParameterType::text, true, "the name of the node"}},
          [&services, method, draining](Call call) {
            require_store(services);
            const auto node = call.arguments.text("node");
            if (!services.cluster)
              throw base::refused("this daemon has a database to itself: there is no other node to take its runs", {},
                                  draining ? "`systemctl stop godwitd` ends it in order, and its runs go on with the next start"
                                           : "nothing of it was drained");
            const engine::Audited audited{call.caller.uid, call.caller.name, std::string(method), node, "{}",
                                          base::now()};
            services.cluster->set_draining(
                node, draining, audited,
                call.reply.when<engine::Nothing>([reply = call.reply, node, draining](const auto&) {
                  reply.result(json::object{{"node", node}, {"draining", draining}});
                }));
          }};
}

}  // namespace

Command node_list(Services& services) {
  return {"node.list",
          Role::viewer,
          "Lists the daemons that share the database, with their leases, labels and numbers of runs.",
          {},
          [&services](Call call) {
            require_store(services);
            services.history.list_nodes(
                call.reply.when<json::array>([reply = call.reply](const auto& nodes) { reply.result(nodes); }));
          }};
}

Command node_drain(Services& services) {
  return drain(services, "node.drain",
               "Lets a node finish its running steps and begin nothing; the other nodes take its runs at once.", true);
}
Command node_undrain(Services& services) {
  return drain(services, "node.undrain", "Lets a drained node take runs again.", false);
}

}  // namespace godwit::control::commands
