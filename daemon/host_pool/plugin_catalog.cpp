#include "host_pool/plugin_catalog.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/suggest.hpp"
#include "host_pool/plugin_trust.hpp"
#include "wire/contract.hpp"
#include "wire/elf_note.hpp"

namespace godwit::host_pool {
namespace {

namespace fs = std::filesystem;
namespace json = base::json;

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

PluginCatalog::Pins pins_of(const std::map<std::string, config::PluginSettings>& plugins) {
  PluginCatalog::Pins result;
  for (const auto& [id, plugin] : plugins) result.emplace(id, plugin.sha256);
  return result;
}

}  // namespace

PluginCatalog::PluginCatalog(const config::Settings& settings)
    : PluginCatalog(settings.plugin_dirs, settings.providers, pins_of(settings.plugins), settings.developer) {}

PluginCatalog::PluginCatalog(std::vector<std::string> directories, std::map<std::string, std::string> providers,
                             Pins pins, bool developer)
    : directories_(std::move(directories)), providers_(std::move(providers)), pins_(std::move(pins)), developer_(developer) {
  reload();
}

void PluginCatalog::reload() {
  for (auto& [id, versions] : versions_) before_.insert(before_.end(), versions.begin(), versions.end());
  problems_.clear();
  versions_.clear();
  current_.clear();
  callables_.clear();
  older_.clear();
  implementers_.clear();
  for (const auto& directory : directories_) scan(directory);
  before_.clear();
  arrange();
  for (const auto& [id, plugin] : current_) add_units(plugin);
  for (const auto& [id, versions] : versions_)
    for (std::size_t i = 1; i < versions.size(); ++i) add_units(versions[i]);
  check_providers();
}

void PluginCatalog::scan(const std::string& directory) {
  std::error_code error;
  std::set<std::string> paths;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".so") paths.insert(fs::absolute(entry->path()).lexically_normal().string());
  }
  if (error) {
    problems_.push_back({"the plugin directory cannot be read: " + error.message(), {directory, 0, 0, {}}, {}});
    return;
  }
  const std::string why = distrust(fs::absolute(directory).lexically_normal().string());
  if (!why.empty()) {
    problems_.push_back({"no plugin of this directory is used: " + why, {directory, 0, 0, {}}, {}});
    return;
  }
  for (const auto& path : paths) add(path);
}

void PluginCatalog::add(const std::string& path) {
  try {
    if (const std::string why = distrust(path); !why.empty())
      throw base::refused("the plugin is not used: " + why, {path, 0, 0, {}});
    auto plugin = known(path);
    if (!plugin) plugin = read(path);
    const std::string& id = plugin->manifest.id;
    const auto pins = pins_.find(id);
    const bool pinned_out =
        pins != pins_.end() && !pins->second.empty() &&
        std::find(pins->second.begin(), pins->second.end(), plugin->file.sha256()) == pins->second.end();
    if (pinned_out)
      throw base::refused("the plugin is not used: its SHA-256 is " + plugin->file.sha256(), {path, 0, 0, {}},
                          "plugins." + id + ".sha256 of the settings lists those that may be loaded");
    versions_[id].push_back(std::move(plugin));
  } catch (const base::Error& error) {
    problems_.insert(problems_.end(), error.problems().begin(), error.problems().end());
  }
}

std::shared_ptr<const Plugin> PluginCatalog::known(const std::string& path) const {
  for (const auto& plugin : before_)
    if (plugin->file.path() == path && plugin->file.in_place()) return plugin;
  return nullptr;
}

std::shared_ptr<const Plugin> PluginCatalog::read(const std::string& path) const {
  auto plugin = std::make_shared<Plugin>();
  plugin->file = PluginFile(path);
  plugin->manifest = wire::parse_manifest(wire::read_manifest_note(path), path);
  auto unfit = wire::missing_extensions(plugin->manifest, developer_, path);
  for (const auto& unit : plugin->manifest.units)
    for (auto& problem : wire::contract_problems(unit, path)) unfit.push_back(std::move(problem));
  if (!unfit.empty()) throw base::Error(base::ErrorKind::refused, std::move(unfit));
  if (!plugin->file.in_place())
    throw base::Error(base::ErrorKind::failed, "cannot be read: it is being written", {path, 0, 0, {}});
  return plugin;
}

void PluginCatalog::arrange() {
  for (auto& [id, versions] : versions_) {
    std::stable_sort(versions.begin(), versions.end(), [](const auto& a, const auto& b) {
      return ::strverscmp(a->manifest.version.c_str(), b->manifest.version.c_str()) > 0;
    });
    std::vector<std::shared_ptr<const Plugin>> kept;
    for (auto& plugin : versions) {
      const bool twice = !kept.empty() && kept.back()->manifest.version == plugin->manifest.version;
      if (!twice) {
        kept.push_back(std::move(plugin));
      } else if (kept.back()->file.sha256() != plugin->file.sha256()) {
        problems_.push_back({"the plugin \"" + id + "\" " + plugin->manifest.version + " is already there as " +
                                 kept.back()->file.path(),
                             {plugin->file.path(), 0, 0, {}},
                             "remove one of them"});
      }
    }
    versions = std::move(kept);
    current_.emplace(id, versions.front());
  }
}

void PluginCatalog::add_units(const std::shared_ptr<const Plugin>& plugin) {
  const bool is_current = find(plugin->manifest.id) == plugin;
  for (const auto& unit : plugin->manifest.units) {
    for (const auto& [name, method] : unit.methods) {
      auto callable = std::make_shared<PluginCallable>();
      callable->name = unit.callable_name(name);
      callable->plugin = plugin->manifest.id;
      callable->version = plugin->manifest.version;
      callable->unit = unit.id;
      callable->method = name;
      callable->retry_safe = method.retry_safe;
      callable->provider = unit.kind == wire::UnitKind::provider;
      callable->args_schema = method.args;
      callable->owner = plugin;
      if (!is_current) {
        older_.emplace(std::pair(callable->name, callable->version), callable);
        continue;
      }
      const auto [known, is_new] = callables_.emplace(callable->name, callable);
      if (!is_new)
        problems_.push_back(
            {"\"" + callable->name + "\" is already offered by the plugin \"" + known->second->plugin + "\"",
             {plugin->file.path(), 0, 0, {}},
             {}});
    }
    if (is_current)
      for (const auto& contract : unit.implements) implementers_[contract].push_back(unit.id);
  }
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
  const auto found = current_.find(id);
  return found == current_.end() ? nullptr : found->second;
}

std::shared_ptr<const PluginCallable> PluginCatalog::resolve(const std::string& uses) const {
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

std::shared_ptr<const PluginCallable> PluginCatalog::resolve_version(const std::string& uses,
                                                                     const std::string& version) const {
  const auto found = older_.find({uses, version});
  return found == older_.end() ? resolve(uses) : found->second;
}

std::shared_ptr<const PluginCallable> PluginCatalog::resolve_contract(const std::string& uses,
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

engine::StepRunner::Installed PluginCatalog::installed() const {
  engine::StepRunner::Installed all;
  for (const auto& [id, versions] : versions_) all.versions[id] = versions.front()->manifest.version;
  for (const auto& [contract, units] : implementers_) {
    const auto chosen = providers_.find(contract);
    if (chosen != providers_.end())
      all.providers[contract] = chosen->second;
    else if (units.size() == 1)
      all.providers[contract] = units.front();
  }
  return all;
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
  for (const auto& [id, versions] : versions_) {
    for (const auto& plugin : versions) {
      json::array units;
      for (const auto& unit : plugin->manifest.units) units.push_back(describe_unit(unit));
      result.push_back(json::object{{"id", id},
                                    {"version", plugin->manifest.version},
                                    {"current", plugin == versions.front()},
                                    {"description", plugin->manifest.description},
                                    {"path", plugin->file.path()},
                                    {"sha256", plugin->file.sha256()},
                                    {"concurrency", plugin->manifest.concurrency},
                                    {"units", std::move(units)}});
    }
  }
  for (const auto& problem : problems_) {
    if (fs::path(problem.place.file).extension() == ".so")
      result.push_back(
          json::object{{"id", ""}, {"path", problem.place.file}, {"refused", problem.what}, {"units", json::array()}});
  }
  return result;
}

}  // namespace godwit::host_pool
