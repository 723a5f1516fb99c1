#include "lab/commands.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/json_text.hpp"
#include "base/pretty.hpp"
#include "base/standard_streams.hpp"
#include "config/settings.hpp"
#include "jobfile/graph.hpp"
#include "jobfile/job_parser.hpp"
#include "jobfile/lua_writer.hpp"
#include "lab/report.hpp"
#include "lab/test_reader.hpp"
#include "lab/tester.hpp"
#include "model/script_bundle.hpp"
#include "script/stubs.hpp"

namespace godwit::lab {
namespace {

namespace fs = std::filesystem;

std::string text_of(const json::object& request, std::string_view name) {
  const auto* value = request.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool flag_of(const json::object& request, std::string_view name) {
  const auto* value = request.if_contains(name);
  return value && value->is_bool() && value->get_bool();
}

std::vector<std::string> texts_of(const json::object& request, std::string_view name) {
  const auto* value = request.if_contains(name);
  return value && value->is_array() ? json::value_to<std::vector<std::string>>(*value) : std::vector<std::string>();
}

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

// The daemon's own settings, so that a test sees the plugins, providers and limits that the daemon sees.
config::Settings settings_of(const json::object& request) {
  std::vector<std::string> arguments;
  if (request.contains("config")) arguments = {"--config", text_of(request, "config")};
  for (const auto& directory : texts_of(request, "plugin_dirs")) {
    arguments.emplace_back("--plugin-dir");
    arguments.push_back(directory);
  }
  return config::read_settings(arguments, base::read_surroundings()).settings;
}

bool is_test_file(const fs::path& path) {
  return (path.extension() == ".yaml" || path.extension() == ".yml") && path.stem().extension() == ".test";
}

// A test file, a job file whose tests stand beside it, or a folder with tests in it and below.
std::vector<std::string> test_files(const std::string& name) {
  const fs::path path = name;
  std::error_code error;
  if (!fs::exists(path, error)) throw base::not_found("there is no file " + name);
  if (fs::is_directory(path, error)) {
    std::vector<std::string> files;
    for (fs::recursive_directory_iterator entry(path, fs::directory_options::skip_permission_denied, error), end;
         !error && entry != end; entry.increment(error))
      if (entry->is_regular_file(error) && is_test_file(entry->path())) files.push_back(entry->path().string());
    if (files.empty()) throw base::not_found("there are no tests in " + name, "tests stand in files named *.test.yaml");
    std::sort(files.begin(), files.end());
    return files;
  }
  if (is_test_file(path)) return {name};
  const fs::path beside = path.parent_path() / (path.stem().string() + ".test.yaml");
  if (!fs::exists(beside, error))
    throw base::not_found("there are no tests of " + name, "write them into " + beside.string());
  return {beside.string()};
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.flush();
  if (!out) throw base::Error(base::ErrorKind::failed, "cannot be written", {path});
}

int run_tests(const json::object& request) {
  std::vector<std::string> files;
  for (const auto& name : texts_of(request, "files"))
    for (auto& file : test_files(name))
      if (std::find(files.begin(), files.end(), file) == files.end()) files.push_back(std::move(file));
  const auto settings = settings_of(request);
  base::log::start(base::log::Level::error);
  Tester tester(settings, {flag_of(request, "crash_sweep"), text_of(request, "only")});
  std::vector<TestResult> results;
  std::vector<base::Error::Problem> problems;  // of files whose tests cannot be read; the others are run
  for (const auto& file : files) {
    try {
      for (auto& result : tester.run(file)) results.push_back(std::move(result));
    } catch (const base::Error& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }
  if (results.empty() && problems.empty())
    throw base::not_found("no test has '" + text_of(request, "only") + "' in its name");
  if (const auto junit = text_of(request, "junit"); !junit.empty()) write_file(junit, report_junit(results));
  if (flag_of(request, "json"))
    print(base::serialize(report_json(results)) + "\n");
  else
    print(report_text(results, flag_of(request, "color"), flag_of(request, "quiet")));
  if (!problems.empty()) throw base::Error(base::ErrorKind::refused, std::move(problems));
  return std::all_of(results.begin(), results.end(), [](const auto& result) { return result.problems.empty(); }) ? 0
                                                                                                                 : 1;
}

int draw_graph(const json::object& request) {
  const std::string file = text_of(request, "file");
  if (model::is_script_name(file)) throw jobfile::no_graph_of_script(file);
  const auto job = jobfile::parse(read_file(file, kJobFileMax), file);
  const std::string text = jobfile::draw_graph(job, text_of(request, "format"));
  print(flag_of(request, "json") ? base::serialize(json::object{{"job", job.name}, {"text", text}}) + "\n" : text);
  return 0;
}

int convert(const json::object& request) {
  const std::string file = text_of(request, "file");
  if (model::is_script_name(file)) throw base::refused("it is a Lua job already", {file});
  print(jobfile::to_lua(read_file(file, kJobFileMax), file));
  return 0;
}

int print_schema(const json::object&) {
  print(base::pretty(jobfile::job_format()) + "\n");
  return 0;
}

// For LuaLS: gw and the methods of the plugins that are installed.
int print_stubs(const json::object& request) {
  const auto settings = settings_of(request);
  const host_pool::PluginCatalog catalog(settings);
  std::vector<script::StubMethod> methods;
  for (const auto& [id, plugin] : catalog.plugins())
    for (const auto& unit : plugin->manifest.units)
      for (const auto& [name, method] : unit.methods)
        methods.push_back({unit.callable_name(name), method.description, method.args});
  print(script::stubs(methods));
  return 0;
}

struct Command {
  std::string_view name;
  int (*run)(const json::object& request);
};
constexpr Command kCommands[] = {{"test", run_tests},
                                 {"graph", draw_graph},
                                 {"schema", print_schema},
                                 {"convert", convert},
                                 {"lua_stubs", print_stubs}};

}  // namespace

int run_command(const json::object& request) {
  const std::string name = text_of(request, "command");
  for (const auto& command : kCommands) {
    if (command.name != name) continue;
    const int code = command.run(request);
    // godwit has become this program, and says what cannot be printed as it does elsewhere.
    base::require_printed();
    return code;
  }
  throw base::Error(base::ErrorKind::usage, "godwit-lab has no command '" + name + "'", {},
                    "it is started by `godwit job test`");
}

}  // namespace godwit::lab
