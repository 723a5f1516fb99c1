#pragma once
#include <string>

#include "model/script_bundle.hpp"

namespace godwit::jobfile {

// What a script says of itself, written as a YAML document in which every key stands at the line where the script has
// it: so that one reader reads both kinds of jobs, and its problems name places in the script.
std::string header_as_yaml(const model::ScriptBundle& bundle);

}  // namespace godwit::jobfile
