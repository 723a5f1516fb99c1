#include "config/settings.hpp"

#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/suggest.hpp"
#include "config/option.hpp"

namespace godwit::config {
namespace {

using Problems = std::vector<base::Error::Problem>;

// The command line, taken apart: which flag has which values.
struct Arguments {
  std::string config;
  Request request = Request::start;
  std::map<std::string, std::vector<std::string>> values;
};

const Option* find_flag(const std::string& flag) {
  for (const Option& option : options())
    if (!flag.empty() && flag == option.flag) return &option;
  return nullptr;
}

std::vector<std::string> known_flags() {
  std::vector<std::string> names;
  for (const Flag& flag : other_flags()) names.emplace_back(flag.name);
  for (const Option& option : options())
    if (*option.flag) names.emplace_back(option.flag);
  return names;
}

bool take_request(const std::string& flag, Arguments& result) {
  if (flag == "--help" || flag == "-h") {
    result.request = Request::help;
  } else if (flag == "--version") {
    result.request = Request::version;
  } else if (flag == "--print-config") {
    result.request = Request::print_config;
  } else {
    return false;
  }
  return true;
}

YamlNode scalar(const std::string& text) {
  YamlNode node;
  node.text = text;
  node.plain = false;
  return node;
}

Arguments take_apart(const std::vector<std::string>& arguments, Problems& problems) {
  Arguments result;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::size_t equals = arguments[i].find('=');
    const bool joined = arguments[i].starts_with("--") && equals != std::string::npos;
    const std::string flag = joined ? arguments[i].substr(0, equals) : arguments[i];
    if (!joined && take_request(flag, result)) continue;
    const Option* option = find_flag(flag);
    if (!option && flag != "--config") {
      problems.push_back({"unknown argument '" + flag + "'", {}, base::suggest(flag, known_flags())});
      continue;
    }
    if (!joined && i + 1 == arguments.size()) {
      problems.push_back({flag + " needs a value", {}, {}});
      continue;
    }
    const std::string value = joined ? arguments[i].substr(equals + 1) : arguments[++i];
    if (!option) {
      OptionReader(nullptr, {}, problems).require_path(scalar(value), flag);
      result.config = value;
    } else if (!option->repeatable && result.values.contains(flag)) {
      problems.push_back({flag + " is given twice", {}, {}});
    } else {
      result.values[flag].push_back(value);
    }
  }
  return result;
}

YamlNode node_of(const Option& option, const std::vector<std::string>& values) {
  if (!option.repeatable) return scalar(values.front());
  YamlNode list;
  list.kind = YamlNode::Kind::list;
  for (const auto& value : values) list.items.push_back(scalar(value));
  return list;
}

void read_flags(const Arguments& arguments, Settings& settings, Problems& problems) {
  OptionReader reader(nullptr, std::filesystem::current_path().string(), problems);
  for (const auto& [flag, values] : arguments.values) {
    const Option& option = *find_flag(flag);
    option.read(reader, node_of(option, values), flag, settings);
  }
}

std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string text(YamlDocument::kBytesMax + 1, '\0');
  if (stream) stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream.is_open() || stream.bad())
    throw base::refused("the settings file cannot be read", {path, 0, 0, {}}, "check the path and the permissions");
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

void read_settings_file(const Arguments& arguments, Settings& settings, Problems& problems) {
  try {
    const YamlDocument document(read_file(settings.config_file), settings.config_file, YamlDocument::Empty::null);
    OptionReader reader(&document, std::filesystem::absolute(settings.config_file).parent_path().string(), problems);
    if (!reader.is_map(document.root(), {})) return;
    read_map(options(), document.root(), {}, {}, reader,
             [&](const Option& option, const YamlNode& node, const std::string& path) {
               // What the command line says wins, but a wrong value in the file is told all the same.
               Settings discarded;
               option.read(reader, node, path, arguments.values.contains(option.flag) ? discarded : settings);
             });
  } catch (const base::Error& error) {
    problems.insert(problems.end(), error.problems().begin(), error.problems().end());
  }
}

std::string first_existing(const std::vector<std::string>& candidates) {
  for (const auto& candidate : candidates)
    if (::access(candidate.c_str(), R_OK) == 0) return candidate;
  return {};
}

// What depends on the machine, for all that nobody has set.
void fill_in(const base::Surroundings& surroundings, Settings& settings) {
  const auto up = [](const std::filesystem::path& path) { return path.parent_path(); };
  const std::filesystem::path bin = up(surroundings.program);
  if (settings.state_dir.empty()) settings.state_dir = base::default_state_dir(surroundings);
  if (settings.socket.empty()) settings.socket = base::default_socket(surroundings, settings.state_dir);
  if (settings.node_name.empty()) settings.node_name = surroundings.host_name;
  settings.node_labels["name"] = settings.node_name;
  if (settings.host_program.empty()) settings.host_program = base::companion_program(surroundings, "godwit-host");
  if (settings.egress_program.empty()) settings.egress_program = base::companion_program(surroundings, "godwit-egress");
  if (settings.plugin_dirs.empty()) {
    const std::string found =
        first_existing({up(bin) / "plugins", up(bin) / "lib/godwit/plugins", up(up(bin)) / "lib/godwit/plugins"});
    if (!found.empty()) settings.plugin_dirs.push_back(found);
  }
}

void check(const Settings& settings, Problems& problems) {
  if (settings.socket.size() >= sizeof(sockaddr_un::sun_path))
    problems.push_back({"the path of the socket is longer than the system allows: " + settings.socket,
                        {{}, 0, 0, "socket"},
                        "choose a shorter one with --socket"});
}

// The values the table prints as defaults are the ones that are used.
Settings standard_settings() {
  Settings settings;
  Problems problems;
  OptionReader reader(nullptr, "/", problems);
  for (const Option& option : options()) {
    const std::string_view text = option.standard;
    if (text == "\"\"" || text == "[]" || text == "{}" || text.starts_with('/')) continue;
    option.read(reader, YamlDocument(text, option.name).root(), option.name, settings);
  }
  if (!problems.empty()) throw base::Error(base::ErrorKind::internal, std::move(problems));
  return settings;
}

}  // namespace

CommandLine read_settings(const std::vector<std::string>& arguments, const base::Surroundings& surroundings) {
  Problems problems;
  const Arguments taken = take_apart(arguments, problems);
  CommandLine result{taken.request, standard_settings()};
  if (taken.request != Request::start && problems.empty()) return result;
  read_flags(taken, result.settings, problems);
  if (!problems.empty()) throw base::Error(base::ErrorKind::usage, std::move(problems));
  result.settings.config_file =
      taken.config.empty() ? first_existing({base::default_config_file(surroundings)}) : taken.config;
  if (!result.settings.config_file.empty()) read_settings_file(taken, result.settings, problems);
  fill_in(surroundings, result.settings);
  check(result.settings, problems);
  if (!problems.empty()) throw base::Error(base::ErrorKind::refused, std::move(problems));
  return result;
}

}  // namespace godwit::config
