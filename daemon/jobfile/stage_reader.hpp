#pragma once
#include "jobfile/reader.hpp"

namespace godwit::jobfile {

// Reads the map `stages`: each stage with its name.
std::vector<model::Stage> read_stages(Reader& reader, const YamlNode& node, const std::string& path);
// Whether a name can be written in expressions as it is: letters, digits and _, no digit first.
bool is_identifier(std::string_view name);

}  // namespace godwit::jobfile
