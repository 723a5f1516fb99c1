#pragma once
#include "engine/compiled_graph.hpp"
#include "engine/step_runner.hpp"

namespace godwit::engine {

// Makes of a call's output what the stage keeps of it, and its rows. `scope` gets the name `output`. Throws
// Error(refused) as expressions do.
void shape_output(const CompiledStage& stage, expression::Language& language, expression::Scope& scope,
                  StepSucceeded& success);

}  // namespace godwit::engine
