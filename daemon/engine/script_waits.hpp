#pragma once
#include "engine/step_request.hpp"
#include "model/script_run.hpp"

namespace godwit::engine {

// What a step of a script is that calls no plugin: gw.sleep, wait, approve, child, sql. Throws Error(refused) for what
// cannot be done.
StepWork script_wait(const model::script::Request& asked, base::Instant now);

}  // namespace godwit::engine
