#pragma once
#include "base/json.hpp"
#include "engine/active_run.hpp"
#include "engine/breakers.hpp"
#include "engine/clock.hpp"

namespace godwit::engine {

// {"done","total","failed","fields":{...},"stages":[{"name","state","done","total","failed","in_flight"}]}: steps
// finished and known so far; a stage that is not open yet counts as one. When one long step is all that runs, "done"
// and "total" are that step's own.
base::json::object progress_of(const ActiveRun& run);

// Adds what plugins and scripts give to show beside the progress: a run shows 64 fields of 4 KiB each at most, since all
// of them are kept and written again and again. Gives the name of the first that is not shown, empty when all are.
std::string show_fields(base::json::object& shown, base::json::object fields);

// progress_of() with "run", "job", "state", "steps" (those under way, at most 50: path, phase, attempt, since),
// "blocked".
base::json::object live_view(const ActiveRun& run);

// Why a step that waits has not ended: {"code","step","text"[,"until"]}.
base::json::object wait_reason(const WaitOpened& wait);
base::json::object paused_reason(model::RunId run);

// Why a run is blocked of whose call nobody knows whether it went through, and what a person can do; `how` is how it came.
std::string unknown_outcome(model::RunId run, const std::vector<std::string>& paths, const std::string& how);

// What keeps the run from going on: [{"code","text",...}], empty when nothing does.
base::json::array reasons(const ActiveRun& run, const Limits& limits, const Breakers& breakers, const Store& store);

// Why a run waits that has not had its turn under its `concurrency` key.
base::json::object turn_reason(const ActiveRun::Turn& turn, const std::vector<LockRow>& before);

}  // namespace godwit::engine
