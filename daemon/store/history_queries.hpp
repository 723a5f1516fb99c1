#pragma once
#include "engine/history.hpp"
#include "engine/store.hpp"
#include "store/connection.hpp"

// What people ask about runs, as the JSON of the control protocol. Each function is a call or a few on one connection.
namespace godwit::store {

// Without their parameters.
base::json::array list_runs(Connection& connection, const engine::RunFilter& filter);
// Throws Error(not_found), as the others that take a run. Parameters of more than 4 MiB are left out; "params_bytes"
// says how long they are.
base::json::object show_run(Connection& connection, model::RunId run);
base::json::object list_steps(Connection& connection, model::RunId run, std::size_t offset, std::size_t limit,
                              bool with_output);
// At most `limit` lines, and fewer where their text is long; none only when there are no more.
base::json::array read_logs(Connection& connection, model::RunId run, std::int64_t after, std::size_t limit);
// A result of more than 6 MiB is left out; "result_bytes" says how long it is.
base::json::object read_result(Connection& connection, model::RunId run);
base::json::array list_fires(Connection& connection, const std::string& schedule, std::size_t limit);
base::json::array list_artifacts(Connection& connection, std::optional<model::RunId> run, std::size_t limit);
base::json::object read_artifact(Connection& connection, const std::string& sha256, std::uint64_t offset,
                                 std::size_t size);
std::vector<std::string> unknown_files(Connection& connection, const std::vector<std::string>& sha256);
base::json::array list_audit(Connection& connection, std::size_t limit);

}  // namespace godwit::store
