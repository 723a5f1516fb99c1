#pragma once
#include "jobfile/reader.hpp"

namespace godwit::jobfile {

// Checks every name the expressions read against what can be seen where they stand, adds the stages that a stage reads
// to its needs, and refuses stages that need each other.
void check_dependencies(Reader& reader, model::Job& job);

}  // namespace godwit::jobfile
