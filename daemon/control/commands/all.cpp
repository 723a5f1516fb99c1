#include "control/commands/all.hpp"

namespace godwit::control {

std::vector<Command> all_commands(Services& services) {
  using namespace commands;
  return {
      run_submit(services),     run_submit_many(services), run_list(services),         run_show(services),
      run_logs(services),       run_result(services),      run_cancel(services),       run_pause(services),
      run_resume(services),     run_retry(services),       run_signal(services),       run_approve(services),
      run_migrate(services),    run_why(services),         run_follow(services),       run_unfollow(services),
      job_list(services),       job_show(services),        job_validate(services),     job_graph(services),
      plugin_list(services),    plugin_show(services),     plugin_reset(services),     limit_list(services),
      node_list(services),      node_drain(services),      node_undrain(services),     schedule_list(services),
      schedule_next(services),  schedule_fires(services),  schedule_set(services),     schedule_remove(services),
      schedule_pause(services), schedule_resume(services), schedule_trigger(services), schedule_backfill(services),
      limit_set(services),      limit_unset(services),     queue_list(services),      queue_pause(services),      queue_resume(services),
      artifact_list(services),  artifact_read(services),   audit_list(services),       daemon_status(services),
      daemon_reload(services),  daemon_ping(services),
  };
}

}  // namespace godwit::control
