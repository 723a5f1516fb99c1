#include "host_pool/plugin_catalog.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/digest.hpp"
#include "base/suggest.hpp"
#include "wire/elf_note.hpp"

namespace godwit::host_pool {
namespace {

namespace fs = std::filesystem;
namespace json = base::json;

std::string file_sha256(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) throw base::Error(base::ErrorKind::failed, "cannot be read", {path, 0, 0, {}});
  return base::sha256_hex(bytes);
}

template <typename Map>
std::vector<std::string> keys(const Map& map) {
  std::vector<std::string> result;
  for (const auto& [key, value] : map) result.push_back(key);
  return result;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

json::object describe_unit(const wire::Unit& unit) {
  json::array methods;
  for (const auto& [name, method] : unit.methods)
    methods.push_back(json::object{{"callable", unit.callable_name(name)},
                                   {"description", method.description},
                                   {"retry_safe", method.retry_safe},
                                   {"args", method.args},
                                   {"result", method.result}});
  json::array contracts;
  for (const auto& contract : unit.implements) contracts.emplace_back(contract);
  return {{"id", unit.id},
          {"kind", wire::name(unit.kind)},
          {"description", unit.description},
          {"config", unit.config},
          {"methods", methods},
          {"implements", contracts},
          {"pure", unit.pure}};
}

}  // namespace

PluginCatalog::PluginCatalog(const std::vector<std::string>& directories, std::map<std::string, std::string> providers)
    : providers_(std::move(providers)) {
  for (const auto& directory : directories) scan(directory);
  check_providers();
}

void PluginCatalog::scan(const std::string& directory) {
  std::error_code error;
  std::set<std::string> paths;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".so") paths.insert(fs::absolute(entry->path()).lexically_normal().string());
  }
  if (error)
    problems_.push_back({"the plugin directory cannot be read: " + error.message(), {directory, 0, 0, {}}, {}});
  for (const auto& path : paths) add(path);
}

void PluginCatalog::add(const std::string& path) {
  try {
    auto plugin = std::make_shared<Plugin>();
    plugin->path = path;
    plugin->manifest = wire::parse_manifest(wire::read_manifest_note(path), path);
    plugin->sha256 = file_sha256(path);
    const auto [known, is_new] = plugins_.emplace(plugin->manifest.id, plugin);
    if (!is_new) {
      if (known->second->sha256 != plugin->sha256)
        problems_.push_back({"the plugin \"" + plugin->manifest.id + "\" is already there as " + known->second->path,
                             {path, 0, 0, {}},
                             "remove one of them"});
      return;
    }
    for (const auto& unit : plugin->manifest.units) add_unit(plugin, unit);
  } catch (const base::Error& error) {
    problems_.insert(problems_.end(), error.problems().begin(), error.problems().end());
  }
}

void PluginCatalog::add_unit(const std::shared_ptr<const Plugin>& plugin, const wire::Unit& unit) {
  for (const auto& [name, method] : unit.methods) {
    auto callable = std::make_shared<engine::Callable>();
    callable->name = unit.callable_name(name);
    callable->plugin = plugin->manifest.id;
    callable->version = plugin->manifest.version;
    callable->unit = unit.id;
    callable->method = name;
    callable->retry_safe = method.retry_safe;
    callable->args_schema = method.args;
    const auto [known, is_new] = callables_.emplace(callable->name, callable);
    if (!is_new)
      problems_.push_back(
          {"\"" + callable->name + "\" is already offered by the plugin \"" + known->second->plugin + "\"",
           {plugin->path, 0, 0, {}},
           {}});
  }
  for (const auto& contract : unit.implements) implementers_[contract].push_back(unit.id);
}

void PluginCatalog::check_providers() {
  for (const auto& [contract, unit] : providers_) {
    const auto found = implementers_.find(contract);
    const bool known = found != implementers_.end() &&
                       std::find(found->second.begin(), found->second.end(), unit) != found->second.end();
    if (known) continue;
    const std::string hint = found == implementers_.end() ? "no installed plugin implements the contract"
                                                          : "it is implemented by: " + joined(found->second);
    problems_.push_back({"the unit \"" + unit + "\" chosen for \"" + contract + "\" does not implement it",
                         {{}, 0, 0, "providers." + contract},
                         hint});
  }
}

std::shared_ptr<const Plugin> PluginCatalog::find(const std::string& id) const {
  const auto found = plugins_.find(id);
  return found == plugins_.end() ? nullptr : found->second;
}

std::shared_ptr<const engine::Callable> PluginCatalog::resolve(const std::string& uses) const {
  const auto found = callables_.find(uses);
  if (found != callables_.end()) return found->second;
  const std::size_t slash = uses.find('/');
  const std::size_t dot = slash == std::string::npos ? slash : uses.find('.', slash);
  if (dot != std::string::npos) return resolve_contract(uses, uses.substr(0, dot), uses.substr(dot + 1));
  if (slash != std::string::npos)
    throw base::refused("\"" + uses + "\" lacks a method", {}, "write \"" + uses + ".<method>\"");
  std::string hint = base::suggest(uses, keys(callables_));
  if (hint.empty()) hint = callables_.empty() ? "no plugin is installed" : "there are: " + joined(keys(callables_));
  throw base::refused("no installed plugin offers \"" + uses + "\"", {}, hint);
}

std::shared_ptr<const engine::Callable> PluginCatalog::resolve_contract(const std::string& uses,
                                                                        const std::string& contract,
                                                                        const std::string& method) const {
  const std::string& unit = chosen_unit(contract);
  const auto found = callables_.find(unit + "." + method);
  if (found != callables_.end()) return found->second;
  std::vector<std::string> methods;
  for (const auto& [name, callable] : callables_)
    if (callable->unit == unit) methods.push_back(callable->method);
  throw base::refused("\"" + uses + "\": the provider \"" + unit + "\" has no method \"" + method + "\"", {},
                      "it has: " + joined(methods));
}

const std::string& PluginCatalog::chosen_unit(const std::string& contract) const {
  const auto units = implementers_.find(contract);
  if (units == implementers_.end()) {
    std::string hint = base::suggest(contract, keys(implementers_));
    if (hint.empty() && !implementers_.empty()) hint = "implemented contracts are: " + joined(keys(implementers_));
    throw base::refused("no installed plugin implements the contract \"" + contract + "\"", {}, hint);
  }
  const auto chosen = providers_.find(contract);
  if (chosen != providers_.end()) {
    if (std::find(units->second.begin(), units->second.end(), chosen->second) == units->second.end())
      throw base::refused(
          "the unit \"" + chosen->second + "\", chosen for the contract \"" + contract + "\", does not implement it",
          {}, "it is implemented by: " + joined(units->second));
    return chosen->second;
  }
  if (units->second.size() > 1)
    throw base::refused(
        "several providers implement the contract \"" + contract + "\": " + joined(units->second), {},
        "choose one in the configuration: providers: {" + contract + ": " + units->second.front() + "}");
  return units->second.front();
}

json::array PluginCatalog::describe() const {
  json::array result;
  for (const auto& [id, plugin] : plugins_) {
    json::array units;
    for (const auto& unit : plugin->manifest.units) units.push_back(describe_unit(unit));
    result.push_back(json::object{{"id", id},
                                  {"version", plugin->manifest.version},
                                  {"description", plugin->manifest.description},
                                  {"path", plugin->path},
                                  {"sha256", plugin->sha256},
                                  {"concurrency", plugin->manifest.concurrency},
                                  {"units", std::move(units)}});
  }
  return result;
}

}  // namespace godwit::host_pool
