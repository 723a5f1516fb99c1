#pragma once
#include "jobfile/reader.hpp"

namespace godwit::jobfile {

// Notes what is wrong with a `retry`, wherever it stands.
void check_retry(Reader& reader, const YamlNode& node, const std::string& path);
// What a job says for all its stages.
struct StageDefaults {
  model::Retry retry;
  std::optional<base::Duration> timeout;
  std::map<std::string, model::LimitUse> limits;
  model::Template env;
};
StageDefaults read_defaults(Reader& reader, const YamlNode& node, const std::string& path);
// An object of texts.
model::Template read_env(Reader& reader, const YamlNode& node, const std::string& path, const Sight& sight);
// Reads the map `stages`: each stage with its name. `sight` is what the expressions of all of them see.
std::vector<model::Stage> read_stages(Reader& reader, const YamlNode& node, const std::string& path,
                                      const StageDefaults& defaults, const Sight& sight);
// Whether a name can be written in expressions as it is: letters, digits and _, no digit first.
bool is_identifier(std::string_view name);

}  // namespace godwit::jobfile
