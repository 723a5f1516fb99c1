#include "engine/store.hpp"

#include "base/json_text.hpp"

namespace godwit::engine {

std::string migration_text(const std::string& version, const std::string& pins) {
  return base::serialize(base::json::object{{"version", version}, {"pins", pins}});
}

void apply_migration(Submitted& run, std::string_view detail) {
  const auto value = base::parse_json(detail);
  run.version = std::string(value.at("version").as_string());
  run.pins = std::string(value.at("pins").as_string());
}

}  // namespace godwit::engine
