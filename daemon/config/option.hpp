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
  // Empty, with a problem noted, when the node is no scalar.
  std::string text(const YamlNode& node, const std::string& path);
  // A relative path counts from the settings file, or from the working directory on the command line.
  std::string file_path(const YamlNode& node, const std::string& path);
  std::vector<std::string> texts(const YamlNode& node, const std::string& path);
  std::vector<std::string> file_paths(const YamlNode& node, const std::string& path);
  int number(const YamlNode& node, const std::string& path, int least, int most);
  int mode(const YamlNode& node, const std::string& path);
  std::size_t bytes(const YamlNode& node, const std::string& path, std::size_t least, std::size_t most);
  base::Duration duration(const YamlNode& node, const std::string& path);
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

// One option of the daemon. The table of all of them is what reads the file and the command line, and what prints the
// help and the default file.
struct Option {
  const char* name;  // in the file: "database.url"
  const char* flag;  // on the command line: "--database-url"; empty when it can only stand in the file
  const char* type;  // as the help shows it: "PATH"
  const char*
      standard;  // the default as the file shows it, in YAML; what depends on the machine is described in the sentence
  const char* sentence;
  void (*read)(OptionReader& reader, const YamlNode& node, const std::string& path, Settings& settings);
  bool repeatable = false;
};
const std::vector<Option>& options();

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
