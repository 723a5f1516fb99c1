#include "model/script_bundle.hpp"

#include <vector>

#include "base/json_text.hpp"

namespace godwit::model {
namespace {

namespace json = base::json;

// Bundles start with this, and nothing that a person writes does.
constexpr std::string_view kMark = R"({"godwit.script":1,)";

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

bool is_module_name(std::string_view name) {
  if (name.empty() || name.size() > 100 || name.front() == '.' || name.back() == '.') return false;
  if (name.find("..") != std::string_view::npos) return false;
  for (const char c : name)
    if (!is_name_character(c)) return false;
  return true;
}

// The names in require "a", require('b') and the like. Comments and texts that look like it are taken too: a module too
// many does no harm.
std::vector<std::string> required_names(std::string_view text) {
  std::vector<std::string> names;
  constexpr std::string_view kRequire = "require";
  for (std::size_t at = text.find(kRequire); at != std::string_view::npos; at = text.find(kRequire, at + 1)) {
    std::size_t begin = text.find_first_not_of(" \t\r\n(", at + kRequire.size());
    if (begin == std::string_view::npos || (text[begin] != '"' && text[begin] != '\'')) continue;
    const std::size_t end = text.find(text[begin], begin + 1);
    if (end == std::string_view::npos) continue;
    const std::string_view name = text.substr(begin + 1, end - begin - 1);
    if (name != "godwit" && is_module_name(name)) names.emplace_back(name);
  }
  return names;
}

void check_size(const std::string& file, const std::string& text) {
  if (text.size() > kScriptSizeMax)
    throw base::refused("the file is larger than " + std::to_string(kScriptSizeMax >> 20) + " MiB, which no script is",
                        {file});
}

}  // namespace

std::string ScriptBundle::to_text() const {
  std::string result(kMark);
  result += "\"file\":" + base::serialize(file);
  result += ",\"header\":" + (header ? base::canonical(*header) : std::string("null"));
  json::object texts;
  for (const auto& [name, module] : modules) texts.emplace(name, module);
  result += ",\"modules\":" + base::canonical(texts);
  result += ",\"text\":" + base::serialize(text) + "}";
  return result;
}

std::optional<ScriptBundle> ScriptBundle::parse(std::string_view text) {
  if (!text.starts_with(kMark)) return std::nullopt;
  const json::value parsed = base::parse_json(text);
  try {
    ScriptBundle bundle;
    bundle.file = parsed.at("file").as_string();
    bundle.text = parsed.at("text").as_string();
    for (const auto& module : parsed.at("modules").as_object())
      bundle.modules.emplace(module.key(), module.value().as_string());
    if (const auto& header = parsed.at("header"); !header.is_null()) bundle.header = header.as_object();
    return bundle;
  } catch (const std::exception& error) {
    throw base::refused(std::string("a bundled script is damaged: ") + error.what());
  }
}

std::string module_path(std::string name) {
  for (char& c : name)
    if (c == '.') c = '/';
  return name + ".lua";
}

bool is_script_name(std::string_view file) {
  return file.ends_with(".lua");
}

ScriptBundle collect_script(std::string file, std::string text,
                            const std::function<std::optional<std::string>(const std::string&)>& read_module) {
  check_size(file, text);
  // Where the script lies is nothing that makes a version.
  file.erase(0, file.rfind('/') + 1);
  ScriptBundle bundle{std::move(file), std::move(text), {}, std::nullopt};
  std::vector<std::string> open = required_names(bundle.text);
  while (!open.empty()) {
    const std::string name = std::move(open.back());
    open.pop_back();
    if (bundle.modules.contains(name)) continue;
    auto module = read_module(module_path(name));
    if (!module) continue;  // the script says so when it asks for it, with the line
    check_size(module_path(name), *module);
    if (bundle.modules.size() == kScriptModulesMax)
      throw base::refused("it requires more than " + std::to_string(kScriptModulesMax) + " modules", {bundle.file});
    for (auto& more : required_names(*module)) open.push_back(std::move(more));
    bundle.modules.emplace(name, std::move(*module));
  }
  return bundle;
}

}  // namespace godwit::model
