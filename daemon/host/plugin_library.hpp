#pragma once
#include <godwit/plugin.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace godwit::host {

class Channel;

// The plugin of this process: loaded once, never unloaded.
class PluginLibrary {
 public:
  struct OpenUnit {
    const gw_unit* unit;
    void* self;
  };

  // Loads the file and compares what it exports with the manifest's `units` ([{id, kind}]). Throws base::Error that
  // says what does not fit.
  PluginLibrary(const std::string& path, Channel& channel, const base::json::array& units);

  // Opens every unit; `config` maps unit ids to their configuration. Throws base::Error with the plugin's own words.
  // [main]
  void open(Channel& channel, const base::json::object& config);
  // Closes what is open, the last first. [main, no call running]
  void close();

  const OpenUnit* find(std::string_view id) const;

 private:
  void check_unit(const gw_unit* unit) const;

  std::vector<const gw_unit*> units_;
  std::map<std::string, OpenUnit, std::less<>> open_;
  std::vector<OpenUnit> order_;
};

}  // namespace godwit::host
