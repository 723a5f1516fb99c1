#pragma once
#include <string>
#include <vector>

#include "jobfile/reader.hpp"
#include "model/schedule.hpp"

namespace godwit::jobfile {

// Reads `schedule`: one, or a list of them with names. The job's name is not known yet; name_schedules() puts it in.
std::vector<model::Schedule> read_schedules(Reader& reader, const YamlNode& node, const std::string& path);
// A lone schedule is called like its job, one of a list "job/name".
void name_schedules(model::Job& job);

}  // namespace godwit::jobfile
