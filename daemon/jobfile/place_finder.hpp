#pragma once
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/yaml_document.hpp"
#include "model/job.hpp"

namespace godwit::jobfile {

// Where a path of a job file stands ("stages.one.with.argv[1]"): the place of its value, or of the innermost part of
// the path that is there.
base::Place find_place(const config::YamlDocument& document, const std::string& path);
// Gives each problem the line and column of its path, when they are only found long after the file was read: its text
// is read again, which costs nothing to a job without problems. A script has no such places.
void find_places(const model::Job& job, std::vector<base::Error::Problem>& problems);

}  // namespace godwit::jobfile
