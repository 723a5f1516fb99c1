#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/paths.hpp"
#include "base/time.hpp"
#include "model/breaker.hpp"
#include "model/grants.hpp"
#include "model/limit.hpp"
#include "model/queue.hpp"

namespace godwit::config {

namespace json = base::json;

// Who may do what on the control socket; each role may also do what the ones before it may.
enum class Role { viewer, operator_, admin };
inline constexpr std::array<std::string_view, 3> kRoles{"viewer", "operator", "admin"};
inline std::string_view name(Role role) {
  return kRoles[static_cast<std::size_t>(role)];
}

// The people of one role: names or numbers of users and groups.
struct RoleMembers {
  std::vector<std::string> users;
  std::vector<std::string> groups;
};

// Where the value of a secret is: one of the two.
struct SecretSource {
  std::string file;
  std::string environment;  // a variable of the daemon
};

// What the operator decided about one plugin.
struct PluginSettings {
  std::map<std::string, json::object> units;  // configuration by unit id
  model::Grants grants;
  std::map<std::string, SecretSource> secrets;  // the names are in the grants too
  std::vector<std::string> sha256;              // the only files that are loaded; empty: any that is trusted
  base::Duration stall{};                       // a call that says nothing for so long is hung; zero: never
};

// What the operator decided, complete: what neither the command line nor the file says has its default.
struct Settings {
  std::string config_file;  // the file that was read, empty when there was none
  std::string state_dir;
  std::string socket;
  int socket_mode = 0;
  std::string socket_group;  // empty: the daemon's own
  std::string database_url;  // empty: a private cluster under state_dir
  std::string database_bin_dir;
  std::vector<std::string> plugin_dirs;
  std::vector<std::string> job_dirs;
  std::string host_program;
  std::string egress_program;
  std::uint64_t artifact_max = 0;  // bytes of one artifact
  bool developer = false;          // extensions that are drafts are given to plugins
  base::Duration plugin_ping{};    // how often a plugin's process is asked whether it lives
  std::string node_name;
  std::map<std::string, std::string> node_labels;
  base::Duration node_lease{};
  int active_runs_max = 0;
  int steps_in_flight_max = 0;
  base::Duration drain_timeout{};
  base::log::Level log_level = base::log::Level::info;
  std::size_t submit_max = 0;         // bytes of the parameters of one submit through the socket
  std::array<RoleMembers, 3> roles;   // indexed by Role; the daemon's own user and root are admins anyway
  std::map<std::string, model::LimitSpec> limits;
  std::map<std::string, model::QueueSpec> queues;
  std::map<std::string, model::BreakerSpec> breakers;  // by the unit of a provider, or "*"
  std::map<std::string, std::string>
      providers;  // contract ("flight-search/1") to the unit that serves it ("timetable")
  std::map<std::string, PluginSettings> plugins;  // by the plugin's id
  bool require_sandbox = false;                   // a host process that cannot be confined as asked is not used
};

// What the command line asked for instead of a start.
enum class Request { start, help, version, print_config };
struct CommandLine {
  Request request = Request::start;
  Settings settings;  // only filled for Request::start
};

// Reads the command line (without the program's name) and the settings file, the command line winning. Throws
// Error(usage) for a wrong command line and Error(refused) for a wrong file, with every problem found.
CommandLine read_settings(const std::vector<std::string>& arguments, const base::Surroundings& surroundings);
// The same table of options as a person reads it: `godwitd --help`, and the documented file etc/godwit.yaml.
std::string settings_help();
std::string settings_file();

}  // namespace godwit::config
