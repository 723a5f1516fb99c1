#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "config/settings.hpp"
#include "engine/step_runner.hpp"
#include "host_pool/plugin_file.hpp"
#include "wire/manifest.hpp"

namespace godwit::host_pool {

// One version of an installed plugin.
struct Plugin {
  wire::Manifest manifest;
  PluginFile file;
};

// What a step calls, with the plugin that it belongs to: a run that has one keeps its plugin's version.
struct PluginCallable : engine::Callable {
  std::shared_ptr<const Plugin> owner;
};

// The plugins in the plugin directories, by what they say about themselves; none of their code is run. Of several
// versions of one plugin the newest is the current one, which names mean; the others serve the runs that are pinned to
// them.
class PluginCatalog {
 public:
  using Pins = std::map<std::string, std::vector<std::string>>;  // plugin id -> SHA-256 of the files that may be loaded

  // `providers` chooses the unit for a contract ("flight-search/1" -> "timetable"). A file or directory that cannot be
  // used or trusted is a problem, not an error; of two files with the same version of a plugin, or two callables with
  // the same name, the first in the order of directories and file names counts. Extensions that are drafts are given in
  // developer mode only.
  PluginCatalog(std::vector<std::string> directories, std::map<std::string, std::string> providers, Pins pins = {},
                bool developer = false);
  // As the operator decided.
  explicit PluginCatalog(const config::Settings& settings);

  // Looks at the directories anew. A plugin whose file has not changed stays the object it was.
  void reload();

  const std::vector<base::Error::Problem>& problems() const { return problems_; }
  // The current versions, by the manifest's id.
  const std::map<std::string, std::shared_ptr<const Plugin>>& plugins() const { return current_; }
  std::shared_ptr<const Plugin> find(const std::string& id) const;
  // As engine::StepRunner::resolve() and resolve_version().
  std::shared_ptr<const PluginCallable> resolve(const std::string& uses) const;
  std::shared_ptr<const PluginCallable> resolve_version(const std::string& uses, const std::string& version) const;
  engine::StepRunner::Installed installed() const;
  // Everything about the plugins and their units, for people: [{id, version, current, path, sha256, units: [...]}],
  // then the files that were refused: [{id: "", path, refused: why, units: []}].
  base::json::array describe() const;

 private:
  void scan(const std::string& directory);
  void add(const std::string& path);
  std::shared_ptr<const Plugin> known(const std::string& path) const;
  std::shared_ptr<const Plugin> read(const std::string& path) const;
  // Puts the current version of each plugin first; takes out what is there twice.
  void arrange();
  void add_units(const std::shared_ptr<const Plugin>& plugin);
  void check_providers();
  std::shared_ptr<const PluginCallable> resolve_contract(const std::string& uses, const std::string& contract,
                                                         const std::string& method) const;
  const std::string& chosen_unit(const std::string& contract) const;

  std::vector<std::string> directories_;
  std::map<std::string, std::string> providers_;
  Pins pins_;
  bool developer_;
  std::vector<base::Error::Problem> problems_;
  std::map<std::string, std::vector<std::shared_ptr<const Plugin>>> versions_;  // by id, the current one first
  std::vector<std::shared_ptr<const Plugin>> before_;                           // during reload(): what was there
  std::map<std::string, std::shared_ptr<const Plugin>> current_;
  std::map<std::string, std::shared_ptr<const PluginCallable>> callables_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const PluginCallable>> older_;  // by name and version
  std::map<std::string, std::vector<std::string>> implementers_;                                // contract -> units
};

}  // namespace godwit::host_pool
