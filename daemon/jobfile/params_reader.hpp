#pragma once
#include "jobfile/reader.hpp"

namespace godwit::jobfile {

// Reads `types` and `params` (either may be null) into job.params and job.schema, and checks that they make a usable
// JSON Schema whose defaults fit it.
void read_params(Reader& reader, const YamlNode* types, const YamlNode* params, model::Job& job);

}  // namespace godwit::jobfile
