#pragma once
#include <godwit/plugin.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "check/fake_call.hpp"

namespace godwit::check {

// A plugin loaded into this process, never unloaded.
class Plugin {
 public:
  // Throws base::Error with the loader's or the plugin's own words.
  explicit Plugin(const std::string& path);

  const gw_plugin& table() const { return *table_; }
  // Null when it exports none of that id.
  const gw_unit* find(std::string_view id) const;
  // Whether this process is one that the plugin has made by fork() since it was loaded.
  static bool in_fork();

 private:
  const gw_plugin* table_;
};

// What a call came to.
struct Ran {
  gw_status status = GW_FAILED;
  std::optional<std::string> output;
  bool output_failed = false;
  std::string failure;  // "code: text"
  std::string code;
  std::set<std::string> complaints;
  std::array<int, kHostFunctions.size()> counts{};
  std::vector<std::pair<std::string, std::string>> emitted;

  // As the daemon sees it: what comes after GW_OK without a result is null.
  std::string text() const;
};

// An open unit; closed at the end.
class Instance {
 public:
  // Throws base::Error when the unit does not open.
  Instance(const gw_unit& unit, std::string_view config);
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance();

  // One call on this thread. All views end at a guard page and are gone when it returns.
  Ran run(std::string_view method, std::string_view input, CallPlan plan = {}) const;
  // The same; `started` is given the call before it begins, for another thread to cancel.
  Ran run(std::string_view method, std::string_view input, gw_call& call) const;

 private:
  const gw_unit& unit_;
  void* self_ = nullptr;
};

}  // namespace godwit::check
