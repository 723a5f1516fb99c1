#include <algorithm>

#include "config/option.hpp"

namespace godwit::config {
namespace {

using Reader = OptionReader;
using Path = const std::string&;

constexpr std::uint32_t kProcessesWithExec = 1024;
constexpr auto kCpuTimeMax = std::chrono::hours(24 * 365);

void read_units(Reader& reader, const YamlNode& node, Path path, PluginSettings& plugin) {
  if (!reader.is_map(node, path)) return;
  for (const auto& member : node.members) {
    const std::string here = base::below(path, member.key);
    if (!reader.is_map(member.value, here)) continue;
    const json::value value = reader.any(member.value, here);
    plugin.units[member.key] = value.is_object() ? value.get_object() : json::object();
  }
}

void read_secret(Reader& reader, const YamlNode::Member& member, Path path, PluginSettings& plugin) {
  if (!reader.is_map(member.value, path)) return;
  SecretSource source;
  for (const auto& part : member.value.members) {
    const std::string here = base::below(path, part.key);
    if (part.key == "file") {
      source.file = reader.file_path(part.value, here);
    } else if (part.key == "env") {
      source.environment = reader.text(part.value, here);
    } else {
      reader.unknown(part, here, {"file", "env"});
    }
  }
  if (source.file.empty() == source.environment.empty())
    reader.problem(member.value, path, "a secret has one source: {file: PATH} or {env: NAME}");
  if (plugin.secrets.insert_or_assign(member.key, source).second) plugin.grants.secrets.push_back(member.key);
}

void read_secrets(Reader& reader, const YamlNode& node, Path path, PluginSettings& plugin) {
  if (!reader.is_map(node, path)) return;
  for (const auto& member : node.members) read_secret(reader, member, base::below(path, member.key), plugin);
}

void read_exec(Reader& reader, const YamlNode& node, Path path, PluginSettings& plugin) {
  plugin.grants.exec = reader.flag(node, path);
  if (plugin.grants.exec && plugin.grants.processes == 0) plugin.grants.processes = kProcessesWithExec;
  if (!plugin.grants.exec && plugin.grants.processes == kProcessesWithExec) plugin.grants.processes = 0;
}

void read_cpu_time(Reader& reader, const YamlNode& node, Path path, PluginSettings& plugin) {
  const base::Duration time = std::min<base::Duration>(reader.duration(node, path), kCpuTimeMax);
  plugin.grants.cpu_seconds = static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(time).count());
}

void read_sha256(Reader& reader, const YamlNode& node, Path path, PluginSettings& plugin) {
  plugin.sha256 = reader.texts(node, path);
  for (std::size_t i = 0; i < plugin.sha256.size(); ++i) {
    const std::string& sum = plugin.sha256[i];
    if (sum.size() != 64 || sum.find_first_not_of("0123456789abcdef") != std::string::npos)
      reader.problem(node.items[i], base::below(path, i), "a SHA-256 has 64 lower-case hexadecimal digits",
                     "`sha256sum plugin.so` prints it");
  }
}

}  // namespace

const std::vector<PluginOption>& plugin_options() {
  using Node = YamlNode;
  using Plugin = PluginSettings;
  static const std::vector<PluginOption> kOptions{
      {"units", "", "MAP", "{}", "The configuration of its units, by the unit's id.", read_units},
      {"files.read", "", "LIST", "[]",
       "Files and directories it may read, with all below. Shared libraries, the time zone and the plugin's own "
       "directory need no grant.",
       [](Reader& r, const Node& n, Path p, Plugin& s) { s.grants.files.read = r.file_paths(n, p); }},
      {"files.write", "", "LIST", "[]",
       "Files and directories it may change, with all below; it may read them as well.",
       [](Reader& r, const Node& n, Path p, Plugin& s) { s.grants.files.write = r.file_paths(n, p); }},
      {"network.any", "", "BOOL", "false", "Every kind of socket an ordinary program may have.",
       [](Reader& r, const Node& n, Path p, Plugin& s) { s.grants.network.any = r.flag(n, p); }},
      {"network.hosts", "", "LIST", "[]",
       "Hosts it may speak HTTP with through the daemon, as api.example.com or *.example.com:8443. It has no socket "
       "for that.",
       [](Reader& r, const Node& n, Path p, Plugin& s) { s.grants.network.hosts = r.texts(n, p); }},
      {"network.connect", "", "LIST", "[]",
       "TCP ports it may connect to by itself, on any host (needs Linux 6.7). Names are looked up over UDP.",
       [](Reader& r, const Node& n, Path p, Plugin& s) { s.grants.network.connect = r.ports(n, p); }},
      {"network.listen", "", "LIST", "[]", "TCP ports it may serve (needs Linux 6.7).",
       [](Reader& r, const Node& n, Path p, Plugin& s) { s.grants.network.listen = r.ports(n, p); }},
      {"network.udp", "", "BOOL", "false", "UDP sockets, to any host.",
       [](Reader& r, const Node& n, Path p, Plugin& s) { s.grants.network.udp = r.flag(n, p); }},
      {"network.unix_sockets", "", "BOOL", "false",
       "Unix sockets with a path, among them the daemon's own and the private database's.",
       [](Reader& r, const Node& n, Path p, Plugin& s) { s.grants.network.unix_sockets = r.flag(n, p); }},
      {"network.abstract_sockets", "", "BOOL", "false", "With unix_sockets: abstract ones of other programs too.",
       [](Reader& r, const Node& n, Path p, Plugin& s) { s.grants.network.abstract_sockets = r.flag(n, p); }},
      {"secrets", "", "MAP", "{}",
       "Secrets it may ask for by name, each from a file or from a variable of the daemon's environment: {api_key: "
       "{file: /etc/godwit/api_key}, token: {env: TOKEN}}. Their values are never printed.",
       read_secrets},
      {"exec", "", "BOOL", "false", "Start programs; what they may do is what the plugin may do.", read_exec},
      {"memory", "", "SIZE", "1GiB",
       "Memory of its process. With a cgroup of its own all its processes together, otherwise each by itself.",
       [](Reader& r, const Node& n, Path p, Plugin& s) {
         s.grants.memory = r.bytes(n, p, 32u << 20, std::size_t{1} << 40);
       }},
      {"processes", "", "COUNT", "0", "Processes beside its own. 1024 when it may start programs.",
       [](Reader& r, const Node& n, Path p, Plugin& s) {
         s.grants.processes = static_cast<std::uint32_t>(r.number(n, p, 0, 1'000'000));
       }},
      {"cpu_time", "", "DURATION", "0s", "CPU time after which a process is ended and replaced; 0s for no limit.",
       read_cpu_time},
      {"open_files", "", "COUNT", "1024", "Descriptors it may have open.",
       [](Reader& r, const Node& n, Path p, Plugin& s) {
         s.grants.open_files = static_cast<std::uint32_t>(r.number(n, p, 32, 1'000'000));
       }},
      {"stall", "", "DURATION", "0s",
       "A call that reports no progress, emits nothing and asks nothing for so long is hung: its process is killed. "
       "0s for never.",
       [](Reader& r, const Node& n, Path p, Plugin& s) { s.stall = r.duration(n, p); }},
      {"sha256", "", "LIST", "[]", "The files that may be loaded as this plugin, by their SHA-256; empty for any.",
       read_sha256},
  };
  return kOptions;
}

}  // namespace godwit::config
