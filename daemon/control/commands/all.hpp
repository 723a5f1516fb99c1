#pragma once
#include <vector>

#include "control/command.hpp"
#include "control/services.hpp"

namespace godwit::control {

// Every method of the protocol. `services` must outlive the result.
std::vector<Command> all_commands(Services& services);

namespace commands {

Command run_submit(Services& services);
Command run_submit_many(Services& services);
Command run_list(Services& services);
Command run_show(Services& services);
Command run_logs(Services& services);
Command run_result(Services& services);
Command run_cancel(Services& services);
Command run_pause(Services& services);
Command run_resume(Services& services);
Command run_retry(Services& services);
Command run_signal(Services& services);
Command run_approve(Services& services);
Command run_migrate(Services& services);
Command run_why(Services& services);
Command run_follow(Services& services);
Command run_unfollow(Services& services);
Command job_list(Services& services);
Command job_show(Services& services);
Command job_validate(Services& services);
Command job_graph(Services& services);
Command plugin_list(Services& services);
Command plugin_show(Services& services);
Command plugin_reset(Services& services);
Command node_list(Services& services);
Command node_drain(Services& services);
Command node_undrain(Services& services);
Command limit_list(Services& services);
Command limit_set(Services& services);
Command limit_unset(Services& services);
Command queue_list(Services& services);
Command queue_pause(Services& services);
Command queue_resume(Services& services);
Command schedule_list(Services& services);
Command schedule_next(Services& services);
Command schedule_fires(Services& services);
Command schedule_set(Services& services);
Command schedule_remove(Services& services);
Command schedule_pause(Services& services);
Command schedule_resume(Services& services);
Command schedule_trigger(Services& services);
Command schedule_backfill(Services& services);
Command artifact_list(Services& services);
Command artifact_read(Services& services);
Command audit_list(Services& services);
Command daemon_status(Services& services);
Command daemon_reload(Services& services);
Command daemon_ping(Services& services);

}  // namespace commands
}  // namespace godwit::control
