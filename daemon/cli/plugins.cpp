#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/paths.hpp"
#include "base/suggest.hpp"
#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "cli/template_texts.hpp"

namespace godwit::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNameSizeMax = 64;

bool is_plugin_name(std::string_view name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789_-";
  return !name.empty() && name.size() <= kNameSizeMax && name[0] >= 'a' && name[0] <= 'z' &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::string folder_of(const std::string& language) {
  if (language == "c++" || language == "cpp" || language == "cxx") return "cpp";
  if (language == "c" || language == "rust") return language;
  throw base::Error(base::ErrorKind::usage, "there is no template for '" + language + "'", {},
                    "languages are c++, c and rust");
}

std::string replaced(std::string_view text, std::string_view from, const std::string& to) {
  std::string result(text);
  for (std::size_t at = 0; (at = result.find(from, at)) != std::string::npos; at += to.size())
    result.replace(at, from.size(), to);
  return result;
}

void write_new(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw base::Error(base::ErrorKind::failed, "cannot be written", {path.string(), 0, 0, {}});
}

void add_values(const Session& session, const char* option, std::vector<std::string>& words) {
  for (const auto& value : session.line.texts(option)) words.insert(words.end(), {std::string("--") + option, value});
}

}  // namespace

int plugin_new(Session& session) {
  const std::string name = session.line.text("NAME");
  if (!is_plugin_name(name))
    throw base::Error(base::ErrorKind::usage, "'" + name + "' is no name for a plugin", {},
                      "it begins with a small letter and has small letters, digits, '-' and '_'");
  const std::string folder = folder_of(session.line.has("lang") ? session.line.text("lang") : "c++");
  std::error_code error;
  if (!fs::create_directory(name, error))
    throw base::Error(base::ErrorKind::failed, error ? "cannot be made: " + error.message() : "is already there",
                      {name, 0, 0, {}});
  for (std::size_t i = 0; i < kTemplateFileCount; ++i) {
    const TemplateFile& file = kTemplateFiles[i];
    const std::size_t slash = file.path.find('/');
    if (slash != file.path.npos && file.path.substr(0, slash) != folder) continue;
    const std::string path = replaced(slash == file.path.npos ? file.path : file.path.substr(slash + 1), "NAME", name);
    write_new(fs::path(name) / path, replaced(file.text, "@NAME@", name));
  }
  if (session.quiet) return 0;
  session.print("The plugin is in " + name +
                "/. To build and to check it:\n"
                "  cmake -S " +
                name + " -B " + name + "/build && cmake --build " + name +
                "/build\n"
                "  godwit plugin check " +
                name + "/build/plugins/" + name + ".so\n");
  return 0;
}

int plugin_check(Session& session) {
  const std::string program = base::companion_program(base::read_surroundings(), "godwit-check");
  std::vector<std::string> words{program};
  for (const char* option : {"only", "seed", "config", "inputs", "runs-on", "junit"})
    add_values(session, option, words);
  if (session.line.has("report")) words.insert(words.end(), {"--json", session.line.text("report")});
  if (session.json) words.insert(words.end(), {"--json", "-"});
  for (const char* flag : {"in-process", "list", "developer"})
    if (session.line.has(flag)) words.push_back(std::string("--") + flag);
  for (const auto& file : session.line.texts("FILE")) words.push_back(file);
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(program.c_str(), arguments.data());
  throw base::Error(base::ErrorKind::failed, std::string("cannot be started: ") + std::strerror(errno),
                    {program, 0, 0, {}}, "it belongs beside godwit, or into libexec/godwit");
}

}  // namespace godwit::cli
