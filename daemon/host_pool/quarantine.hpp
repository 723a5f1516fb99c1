#pragma once
#include <optional>
#include <string>

#include "base/json.hpp"

namespace godwit::host_pool {

// Which versions of plugins are in quarantine, kept in a folder so that a restart of the daemon does not let them out:
// one file for each, gone again when somebody resets the plugin. A folder that cannot be read or written costs a warning
// in the log, never a call.
class Quarantine {
 public:
  // How a version came into it.
  struct Entry {
    std::string plugin;  // the manifest's id
    std::string sha256;  // of its file
    std::string cause;   // of the last crash, for people
    base::json::value report;
  };

  // The folder is made when it is needed. Empty: nothing is kept.
  explicit Quarantine(std::string directory) : directory_(std::move(directory)) {}

  void add(const Entry& entry) const;
  std::optional<Entry> find(const std::string& plugin, const std::string& sha256) const;
  // All versions of the plugin.
  bool remove(const std::string& plugin) const;

 private:
  std::string directory_;
};

}  // namespace godwit::host_pool
