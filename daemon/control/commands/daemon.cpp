#include "control/commands/all.hpp"
#include "base/json_text.hpp"
#include "wire/rpc.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

json::object library_status(const jobfile::Library& library) {
  const auto& report = library.last_report();
  return {
      {"jobs", library.list().size()}, {"files", report.loaded}, {"problems", wire::problems_to_json(report.problems)}};
}

}  // namespace

Command daemon_status(Services& services) {
  return {"daemon.status",
          Role::viewer,
          "Says how the daemon, its database, its plugins and its queues are.",
          {},
          [&services](Call call) {
            const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(base::tick() - services.started);
            call.reply.result(json::object{{"version", services.version},
                                           {"uptime_seconds", uptime.count()},
                                           {"engine", services.engine.status()},
                                           {"store", services.store.status()},
                                           {"hosts", services.hosts_status()},
                                           {"jobs", library_status(services.library)},
                                           {"control", services.control_status()}});
          }};
}

Command daemon_reload(Services& services) {
  return {"daemon.reload",
          Role::admin,
          "Reads the job folders again; a file that went bad leaves its last good version in place.",
          {},
          [&services](Call call) {
            const auto report = services.reload();
            // The reload is done whether or not the database is there, so its trace does not keep the answer waiting.
            services.store.append({engine::Audited{call.caller.uid, call.caller.name, "reload", "",
                                                   base::serialize(report), base::now()}},
                                  [](const engine::Verdict&) {});
            call.reply.result(report);
          }};
}

Command daemon_ping(Services&) {
  return {"daemon.ping", Role::viewer, "Answers at once: the daemon's loop is alive.", {}, [](Call call) {
            call.reply.result(json::object{{"pong", true}});
          }};
}

}  // namespace godwit::control::commands
