#pragma once
#include <string>
#include <string_view>

#include "model/job.hpp"

namespace godwit::jobfile {

// Reads one YAML job. Throws Error(refused) with every problem found, each with file, line, column and path. What only
// the daemon can know (whether `uses` names something that is installed) is not checked here.
model::Job parse(std::string_view text, const std::string& file);

// A JSON Schema (draft 7) of the format, for editors.
base::json::object job_format();

}  // namespace godwit::jobfile
