#include "config/option.hpp"

#include "base/suggest.hpp"

namespace godwit::config {
namespace {

constexpr std::pair<std::string_view, base::log::Level> kLevels[] = {{"debug", base::log::Level::debug},
                                                                     {"info", base::log::Level::info},
                                                                     {"warning", base::log::Level::warning},
                                                                     {"error", base::log::Level::error}};
constexpr std::size_t kMiB = 1u << 20;

using Reader = OptionReader;
using Path = const std::string&;

void read_level(Reader& reader, const YamlNode& node, Path path, Settings& settings) {
  const std::string text = reader.text(node, path);
  for (const auto& [name, level] : kLevels) {
    if (name != text) continue;
    settings.log_level = level;
    return;
  }
  reader.problem(node, path, "one of debug, info, warning, error is needed here");
}

void read_socket(Reader& reader, const YamlNode& node, Path path, Settings& settings) {
  settings.socket = reader.file_path(node, path);
}

// The users and groups of one role.
void read_role(Reader& reader, const YamlNode& node, Path path, RoleMembers& members) {
  if (!reader.is_map(node, path)) return;
  for (const auto& member : node.members) {
    const std::string here = base::below(path, member.key);
    if (member.key == "users") {
      members.users = reader.texts(member.value, here);
    } else if (member.key == "groups") {
      members.groups = reader.texts(member.value, here);
    } else {
      reader.problem(member.value, here, "unknown key '" + member.key + "'",
                     base::suggest(member.key, {"users", "groups"}));
    }
  }
}

void read_roles(Reader& reader, const YamlNode& node, Path path, Settings& settings) {
  if (!reader.is_map(node, path)) return;
  for (const auto& member : node.members) {
    const auto role = std::find(kRoles.begin(), kRoles.end(), member.key);
    const std::string here = base::below(path, member.key);
    if (role != kRoles.end()) {
      read_role(reader, member.value, here, settings.roles[static_cast<std::size_t>(role - kRoles.begin())]);
    } else {
      reader.problem(member.value, here, "unknown role '" + member.key + "'",
                     base::suggest(member.key, {kRoles.begin(), kRoles.end()}));
    }
  }
}

void read_limits(Reader& reader, const YamlNode& node, Path path, Settings& settings) {
  if (!reader.is_map(node, path)) return;
  for (const auto& member : node.members) {
    const std::string here = base::below(path, member.key);
    const std::string given = reader.text(member.value, here);
    if (const auto spec = model::parse_limit(given))
      settings.limits[member.key] = *spec;
    else
      reader.problem(member.value, here, "'" + given + "' is no limit",
                     "write permits at once (4) or a rate (10/s, 600/m burst 20)");
  }
}

// `4`, or a map with either bound.
void read_queue(Reader& reader, const YamlNode& node, Path path, model::QueueSpec& queue) {
  constexpr int kMost = 1'000'000;
  if (node.kind == YamlNode::Kind::scalar) {
    queue.concurrency = reader.number(node, path, 1, kMost);
    return;
  }
  if (!reader.is_map(node, path)) return;
  for (const auto& member : node.members) {
    const std::string here = base::below(path, member.key);
    if (member.key == "concurrency")
      queue.concurrency = reader.number(member.value, here, 1, kMost);
    else if (member.key == "concurrency_total")
      queue.concurrency_total = reader.number(member.value, here, 1, kMost);
    else
      reader.unknown(member, here, {"concurrency", "concurrency_total"});
  }
}

void read_queues(Reader& reader, const YamlNode& node, Path path, Settings& settings) {
  if (!reader.is_map(node, path)) return;
  for (const auto& member : node.members)
    read_queue(reader, member.value, base::below(path, member.key), settings.queues[member.key]);
}

// `off`, or a map of what differs from the standard.
void read_breaker(Reader& reader, const YamlNode& node, Path path, model::BreakerSpec& breaker) {
  if (node.kind == YamlNode::Kind::scalar) {
    breaker.off = reader.text(node, path) == "off";
    if (!breaker.off) reader.problem(node, path, "`off` or a map is needed here");
    return;
  }
  if (!reader.is_map(node, path)) return;
  for (const auto& member : node.members) {
    const std::string here = base::below(path, member.key);
    if (member.key == "failures")
      breaker.failures = reader.number(member.value, here, 1, 1'000'000);
    else if (member.key == "percent")
      breaker.share = reader.number(member.value, here, 1, 100) / 100.0;
    else if (member.key == "window")
      breaker.window = reader.duration(member.value, here);
    else if (member.key == "pause")
      breaker.pause = reader.duration(member.value, here);
    else if (member.key == "pause_max")
      breaker.pause_max = reader.duration(member.value, here);
    else
      reader.unknown(member, here, {"failures", "percent", "window", "pause", "pause_max"});
  }
  breaker.pause_max = std::max(breaker.pause_max, breaker.pause);
}

void read_breakers(Reader& reader, const YamlNode& node, Path path, Settings& settings) {
  if (!reader.is_map(node, path)) return;
  for (const auto& member : node.members)
    read_breaker(reader, member.value, base::below(path, member.key), settings.breakers[member.key]);
}

void read_node_labels(Reader& reader, const YamlNode& node, Path path, Settings& settings) {
  if (!reader.is_map(node, path)) return;
  for (const auto& member : node.members)
    settings.node_labels[member.key] = reader.text(member.value, base::below(path, member.key));
}

void read_providers(Reader& reader, const YamlNode& node, Path path, Settings& settings) {
  if (!reader.is_map(node, path)) return;
  for (const auto& member : node.members) {
    const std::string here = base::below(path, member.key);
    if (member.key.find('/') == std::string::npos)
      reader.problem(member.value, here, "'" + member.key + "' is not a contract",
                     "contracts look like flight-search/1");
    settings.providers[member.key] = reader.text(member.value, here);
    if (settings.providers[member.key].empty()) reader.problem(member.value, here, "the name of a unit is needed here");
  }
}

// An entry changes what it names and leaves the rest as it was, so that a plugin's defaults can be changed one by one.
void read_plugins(Reader& reader, const YamlNode& node, Path path, Settings& settings) {
  if (!reader.is_map(node, path)) return;
  for (const auto& member : node.members) {
    const std::string here = base::below(path, member.key);
    if (!reader.is_map(member.value, here)) continue;
    PluginSettings& plugin = settings.plugins[member.key];
    read_map(plugin_options(), member.value, {}, here, reader,
             [&](const PluginOption& option, const YamlNode& value, Path place) {
               option.read(reader, value, place, plugin);
             });
    if (plugin.grants.network.abstract_sockets && !plugin.grants.network.unix_sockets)
      reader.problem(member.value, here + ".network.abstract_sockets", "means nothing without unix_sockets: true");
  }
}

}  // namespace

const std::vector<Option>& options() {
  static const std::vector<Option> kOptions{
      {"state_dir", "--state-dir", "DIR", "/var/lib/godwit",
       "Where the private database and everything else that must survive is kept; one godwitd at a time may use it. An "
       "ordinary user's default is godwit under $XDG_STATE_HOME or "
       "~/.local/state.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.state_dir = r.file_path(n, p); }},
      {"socket", "--socket", "PATH", "/run/godwit/control.sock",
       "The Unix socket the godwit command talks to. An ordinary user's default is godwit/control.sock under "
       "$XDG_RUNTIME_DIR, or control.sock in the "
       "state directory.",
       read_socket},
      {"socket_mode", "", "MODE", "0660",
       "The permissions of the socket, in octal. Who may do what is decided by `roles` all the same.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.socket_mode = r.mode(n, p); }},
      {"socket_group", "", "GROUP", "\"\"", "The group of the socket; empty for the daemon's own.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.socket_group = r.text(n, p); }},
      {"database.url", "--database-url", "URL", "\"\"",
       "The PostgreSQL to use, as postgresql://user@host/name or in libpq's key=value form. Empty: the daemon makes "
       "and supervises a private one in "
       "its state directory.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.database_url = r.text(n, p); }},
      {"database.bin_dir", "--database-bin-dir", "DIR", "\"\"",
       "Where initdb and postgres of the private database are; empty to look for the newest installed version.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.database_bin_dir = r.file_path_or_empty(n, p); }},
      {"plugin_dirs", "--plugin-dir", "DIR", "[]",
       "The directories whose plugins (*.so) are offered to jobs. Without any: plugins beside the program's directory, "
       "or lib/godwit/plugins of the "
       "installation.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.plugin_dirs = r.file_paths(n, p); }, true},
      {"job_dirs", "--job-dir", "DIR", "[]",
       "The directories whose job files can be submitted by name, with all directories below them.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.job_dirs = r.file_paths(n, p); }, true},
      {"host_program", "--host-program", "PATH", "\"\"",
       "The godwit-host that plugins run in; empty to take the one next to godwitd, else the one in the installation's "
       "libexec.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.host_program = r.file_path_or_empty(n, p); }},
      {"egress_program", "", "PATH", "\"\"",
       "The godwit-egress that makes the HTTP requests of plugins; empty to take the one next to host_program.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.egress_program = r.file_path_or_empty(n, p); }},
      {"artifacts.size_max", "", "SIZE", "4GiB", "The largest file that a step may keep as an artifact.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) {
         s.artifact_max = r.bytes(n, p, 0, std::size_t{1} << 40);
       }},
      {"developer", "", "BOOL", "false",
       "Whether plugins may use extensions that are drafts (godwit.draft.*), which may change with any version.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.developer = r.flag(n, p); }},
      {"plugin_ping", "", "DURATION", "5s",
       "How often a plugin's process is asked whether it lives. One that has left three questions unanswered is killed.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) {
         s.plugin_ping = r.duration(n, p, std::chrono::milliseconds(100));
       }},
      {"node.name", "--node-name", "NAME", "\"\"",
       "The name of this daemon among those that share a database; empty for the name of the machine.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.node_name = r.text(n, p); }},
      {"node.labels", "", "MAP", "{}",
       "Labels of this daemon. A run whose job has a label node.NAME is only taken by daemons that have the label NAME with "
       "the same value here; node.name is the daemon's own name. Example:\n"
       "  gpu: a100",
       read_node_labels},
      {"node.lease", "", "DURATION", "20s",
       "How long the daemons that share a database wait for one that says nothing before they take over its runs. One that "
       "cannot reach the database for 7 tenths of it cuts off its running calls. The same for all of them; of no meaning "
       "with the private database. From 1s to 10m.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) {
         s.node_lease = r.duration(n, p);
         if (s.node_lease < std::chrono::seconds(1) || s.node_lease > std::chrono::minutes(10))
           r.problem(n, p, "a duration from 1s to 10m is needed here");
       }},
      {"engine.active_runs_max", "", "COUNT", "4096",
       "How many runs are held in memory at once; more wait in the database.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.active_runs_max = r.number(n, p, 1, 1'000'000); }},
      {"engine.steps_in_flight_max", "", "COUNT", "1024", "How many steps are with plugins at once, over all runs.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.steps_in_flight_max = r.number(n, p, 1, 1'000'000); }},
      {"engine.drain_timeout", "--drain-timeout", "DURATION", "30s",
       "How long a stop waits for running steps. What is cut off then is attempted again after the next start, and a run "
       "whose step may not be repeated is blocked until a person decides.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.drain_timeout = r.duration(n, p); }},
      {"control.submit_max", "", "SIZE", "4MiB",
       "The largest parameters a submit through the socket may have, as JSON text, up to 7MiB. Those of "
       "godwit.submit() in SQL are 4MiB at most.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.submit_max = r.bytes(n, p, 1024, 7 * kMiB); }},
      {"log.level", "--log-level", "LEVEL", "info",
       "The least important messages that are logged: debug, info, warning or error.", read_level},
      {"roles", "", "MAP", "{}",
       "Who may do what: a viewer sees everything, an operator also submits and steers runs, an admin also changes "
       "limits and settings. Example:\n"
       "  viewer: {groups: [staff]}\n"
       "  operator: {users: [ada], groups: [ops]}\n"
       "The daemon's own user and root are admins; nobody else may do anything unless it is said here.",
       read_roles},
      {"limits", "", "MAP", "{}",
       "Named limits: permits to be had at once, or a rate in tokens per time. Steps take them by `limits:` in their "
       "job. These win over what jobs declare. Example:\n"
       "  amadeus: 10\n"
       "  openai: 600/m burst 20",
       read_limits},
      {"queues", "", "MAP", "{}",
       "Named queues and how many of their runs may be at work at once, on this node (concurrency) and on all together "
       "(concurrency_total). A run is in the queue that its job or its submit names. Example:\n"
       "  reports: 4\n"
       "  chat: {concurrency: 8, concurrency_total: 20}",
       read_queues},
      {"providers", "", "MAP", "{}",
       "Which unit serves a contract that jobs use by its name. A contract that only one installed unit serves needs "
       "no entry. Example:\n"
       "  flight-search/1: timetable",
       read_providers},
      {"breakers", "", "MAP", "{}",
       "When a provider is taken for down and not called for a while: when at least `failures` (10) calls of the last "
       "`window` (1m) have failed in a way that may pass, and at least `percent` (50) of all. Steps wait meanwhile. After "
       "`pause` (10s) one call is let through; each that fails doubles the pause, up to `pause_max` (5m). By the name of "
       "the provider's unit; \"*\" is for all providers that are not named. Example:\n"
       "  amadeus: {failures: 5, pause: 30s}\n"
       "  \"*\": off",
       read_breakers},
      {"require_sandbox", "", "BOOL", "false",
       "Whether a plugin is refused when this machine cannot confine its process as its grants ask. Otherwise what is "
       "missing is logged and shown by `godwit plugin show`.",
       [](Reader& r, const YamlNode& n, Path p, Settings& s) { s.require_sandbox = r.flag(n, p); }},
      {"plugins", "", "MAP", "{core: {exec: true, files: {read: [/], write: [/]}, network: {any: true}}}",
       "What each plugin is configured with and what it may do, by the plugin's id. A plugin that is not named gets "
       "the "
       "defaults below: it computes, and touches no file, network or program. `core` runs the programs that jobs name, "
       "so it may do what the daemon's user may do; core: {exec: false, files: {read: [], write: []}} takes that away. "
       "An entry changes what it names and leaves the rest. Example:\n"
       "  timetable: {units: {timetable: {seed: 7}}, memory: 256MiB}",
       read_plugins},
  };
  return kOptions;
}

const std::vector<Flag>& other_flags() {
  static const std::vector<Flag> kFlags{
      {"--config", "FILE",
       "The settings file, which has more options than the command line. Default: /etc/godwit/godwit.yaml; an ordinary "
       "user's is godwit/godwit.yaml "
       "under $XDG_CONFIG_HOME or ~/.config."},
      {"--print-config", "", "Print the settings file with every option and its default, and end."},
      {"--version", "", "Print the version and end."},
      {"--help", "", "Print this and end."},
  };
  return kFlags;
}

}  // namespace godwit::config
