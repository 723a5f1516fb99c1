#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "engine/step_runner.hpp"
#include "wire/manifest.hpp"

namespace godwit::host_pool {

// An installed plugin.
struct Plugin {
  wire::Manifest manifest;
  std::string path;    // absolute
  std::string sha256;  // of the file
};

// The plugins in the plugin directories, by what they say about themselves; none of their code is run. Constant after
// construction.
class PluginCatalog {
 public:
  // `providers` chooses the unit for a contract ("flight-search/1" -> "timetable"). A file or directory that cannot be
  // used is a problem, not an error; of two plugins with the same id, or two callables with the same name, the first in
  // the order of directories and file names counts.
  PluginCatalog(const std::vector<std::string>& directories, std::map<std::string, std::string> providers);

  const std::vector<base::Error::Problem>& problems() const { return problems_; }
  // By the manifest's id.
  const std::map<std::string, std::shared_ptr<const Plugin>>& plugins() const { return plugins_; }
  std::shared_ptr<const Plugin> find(const std::string& id) const;
  // As engine::StepRunner::resolve().
  std::shared_ptr<const engine::Callable> resolve(const std::string& uses) const;
  // Everything about the plugins and their units, for people: [{id, version, path, sha256, units: [...]}].
  base::json::array describe() const;

 private:
  void scan(const std::string& directory);
  void add(const std::string& path);
  void add_unit(const std::shared_ptr<const Plugin>& plugin, const wire::Unit& unit);
  void check_providers();
  std::shared_ptr<const engine::Callable> resolve_contract(const std::string& uses, const std::string& contract,
                                                           const std::string& method) const;
  const std::string& chosen_unit(const std::string& contract) const;

  std::map<std::string, std::string> providers_;
  std::vector<base::Error::Problem> problems_;
  std::map<std::string, std::shared_ptr<const Plugin>> plugins_;
  std::map<std::string, std::shared_ptr<const engine::Callable>> callables_;
  std::map<std::string, std::vector<std::string>> implementers_;  // contract -> units
};

}  // namespace godwit::host_pool
