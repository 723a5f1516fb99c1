#pragma once
#include "engine/compiled_graph.hpp"
#include "engine/step_runner.hpp"

namespace godwit::engine {

// Makes of a call's output what the stage keeps of it, and its rows. `scope` gets the name `output`. Throws
// Error(refused) as expressions do.
void shape_output(const CompiledStage& stage, expression::Language& language, expression::Scope& scope,
                  StepSucceeded& success);

// A call's input with the variables that the stage and its job say, for methods that take `env`. What the input says
// itself wins. Throws Error(refused) as expressions do.
base::json::value with_env(base::json::value input, const CompiledStage& stage, const Callable& callable,
                           expression::Language& language, const expression::Scope& scope);

}  // namespace godwit::engine
