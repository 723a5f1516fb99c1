#pragma once
#include "model/script_run.hpp"

// What a script and the engine tell each other, under its short names.
namespace godwit::script {

using model::script::Budget;
using model::script::End;
using model::script::LogLine;
using model::script::LoopProgress;
using model::script::Note;
using model::script::Outcome;
using model::script::Output;
using model::script::RecordedStep;
using model::script::Released;
using model::script::Request;
using model::script::RunFacts;

}  // namespace godwit::script
