#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "config/yaml_document.hpp"

namespace godwit::config {

// What an option's value is read with: notes what is wrong, with the place, and goes on.
class OptionReader {
 public:
  OptionReader(const YamlDocument* document, std::string directory, std::vector<base::Error::Problem>& problems)
      : document_(document), directory_(std::move(directory)), problems_(problems) {}

  // `path` is how the person names the option: "log.level" or "--log-level".
  void problem(const YamlNode& node, const std::string& path, std::string what, std::string hint = {});
  // A key that no option has, noted with the likeliest of those there are.
  void unknown(const YamlNode::Member& member, const std::string& path, const std::vector<std::string>& known);
  // Empty, with a problem noted, when the node is no scalar.
  std::string text(const YamlNode& node, const std::string& path);
  // A relative path counts from the settings file, or from the working directory on the command line. An empty one is a
  // problem: it comes from a variable that is not set, and nobody means the default by it.
  std::string file_path(const YamlNode& node, const std::string& path);
  // Notes an empty path; what is no text is noted by who reads it.
  void require_path(const YamlNode& node, const std::string& path);
  // For options that say what an empty one means.
  std::string file_path_or_empty(const YamlNode& node, const std::string& path);
  std::vector<std::string> texts(const YamlNode& node, const std::string& path);
  std::vector<std::string> file_paths(const YamlNode& node, const std::string& path);
  int number(const YamlNode& node, const std::string& path, int least, int most);
  int mode(const YamlNode& node, const std::string& path);
  std::size_t bytes(const YamlNode& node, const std::string& path, std::size_t least, std::size_t most);
  base::Duration duration(const YamlNode& node, const std::string& path, base::Duration least = {});
  bool flag(const YamlNode& node, const std::string& path);
  std::vector<std::uint16_t> ports(const YamlNode& node, const std::string& path);
  json::value any(const YamlNode& node, const std::string& path);
  // Whether the node is a map (null counts as an empty one).
  bool is_map(const YamlNode& node, const std::string& path);

 private:
  base::Place place(const YamlNode& node, const std::string& path) const;
  std::string absolute(const std::string& path) const;

  const YamlDocument* document_;  // none for the command line
  std::string directory_;
  std::vector<base::Error::Problem>& problems_;
};

// One option of a table, read into a `Target`. The table of the daemon's options is what reads the file and the command
// line, and what prints the help and the default file; that of a plugin's does the same for an entry of `plugins`.
template <typename Target>
struct OptionOf {
  const char* name;  // in the file: "database.url"
  const char* flag;  // on the command line: "--database-url"; empty when it can only stand in the file
  const char* type;  // as the help shows it: "PATH"
  const char*
      standard;  // the default as the file shows it, in YAML; what depends on the machine is described in the sentence
  const char* sentence;
  void (*read)(OptionReader& reader, const YamlNode& node, const std::string& path, Target& target);
  bool repeatable = false;
};
using Option = OptionOf<Settings>;
using PluginOption = OptionOf<PluginSettings>;
const std::vector<Option>& options();
const std::vector<PluginOption>& plugin_options();

// Walks a map of the file by a table: `read(option, node, path)` takes an option, a group ("database") is entered,
// anything else is unknown. `group` is where in the table the map stands, `path` how a person names that.
template <typename Target, typename Read>
void read_map(const std::vector<OptionOf<Target>>& table, const YamlNode& map, const std::string& group,
              const std::string& path, OptionReader& reader, const Read& read) {
  for (const auto& member : map.members) {
    const std::string name = base::below(group, member.key);
    const std::string here = base::below(path, member.key);
    bool is_group = false;
    const OptionOf<Target>* found = nullptr;
    for (const auto& option : table) {
      if (name == option.name) found = &option;
      is_group = is_group || std::string_view(option.name).starts_with(name + ".");
    }
    if (found) {
      read(*found, member.value, here);
    } else if (is_group) {
      if (reader.is_map(member.value, here)) read_map(table, member.value, name, here, reader, read);
    } else {
      std::vector<std::string> known;
      for (const auto& option : table) {
        const std::string other = option.name;
        if (!group.empty() && !other.starts_with(group + ".")) continue;
        const std::string rest = group.empty() ? other : other.substr(group.size() + 1);
        known.push_back(rest.substr(0, rest.find('.')));
      }
      reader.unknown(member, here, known);
    }
  }
}

// A flag of the command line that is no option of the file.
struct Flag {
  const char* name;
  const char* type;
  const char* sentence;
};
const std::vector<Flag>& other_flags();

// "1MiB", "256 KiB", "10000": bytes. Empty for anything else.
std::optional<std::size_t> parse_bytes(std::string_view text);

}  // namespace godwit::config
