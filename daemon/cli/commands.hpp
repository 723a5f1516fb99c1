#pragma once

namespace godwit::cli {

class Session;

// What each command does, by the name it has on the command line.
int submit(Session& session);
int list(Session& session);
int show(Session& session);
int logs(Session& session);
int result(Session& session);
int watch(Session& session);
int why(Session& session);
int cancel(Session& session);
int pause(Session& session);
int resume(Session& session);
int retry(Session& session);
int signal(Session& session);
int approve(Session& session);
int run_migrate(Session& session);
int job_list(Session& session);
int job_show(Session& session);
int job_validate(Session& session);
int job_graph(Session& session);
int job_test(Session& session);
int job_schema(Session& session);
int lua_stubs(Session& session);
int job_convert(Session& session);
int run_export(Session& session);
int plugin_list(Session& session);
int plugin_show(Session& session);
int plugin_reset(Session& session);
int plugin_new(Session& session);
int plugin_check(Session& session);
int node_list(Session& session);
int node_show(Session& session);
int node_drain(Session& session);
int node_undrain(Session& session);
int limit_list(Session& session);
int limit_set(Session& session);
int limit_unset(Session& session);
int queue_list(Session& session);
int queue_pause(Session& session);
int queue_resume(Session& session);
int schedule_list(Session& session);
int schedule_next(Session& session);
int schedule_fires(Session& session);
int schedule_set(Session& session);
int schedule_remove(Session& session);
int schedule_pause(Session& session);
int schedule_resume(Session& session);
int schedule_import(Session& session);
int schedule_trigger(Session& session);
int schedule_backfill(Session& session);
int artifact_list(Session& session);
int artifact_get(Session& session);
int audit(Session& session);
int status(Session& session);
int reload(Session& session);
int ping(Session& session);
int completion(Session& session);
int help(Session& session);

}  // namespace godwit::cli
