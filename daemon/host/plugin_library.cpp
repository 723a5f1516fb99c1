#include "host/plugin_library.hpp"

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include <system_error>

#include "base/json_text.hpp"
#include "host/call.hpp"
#include "host/host_table.hpp"

namespace godwit::host {
namespace {

base::Error failed(const std::string& what) {
  return base::Error(base::ErrorKind::failed, what);
}

// Boost.DLL wraps the loader's words in its own and ends with an errno that means nothing.
std::string loader_message(std::string text) {
  constexpr std::string_view before = "dlerror system message: ";
  const std::size_t begin = text.find(before);
  if (begin == std::string::npos) return text;
  text.erase(0, begin + before.size());
  return text.substr(0, text.rfind("):"));
}

using EntryFunction = const gw_plugin*(const gw_host*, gw_call*);

EntryFunction& load(const std::string& path) {
  namespace dll = boost::dll;
  try {
    // Never destroyed: threads of the plugin may live on, and unloading C++ code is not safe.
    static auto* library = new dll::shared_library(path, dll::load_mode::rtld_now | dll::load_mode::rtld_local);
    if (!library->has("godwit_plugin_v1")) throw failed("the file does not export godwit_plugin_v1");
    return library->get<EntryFunction>("godwit_plugin_v1");
  } catch (const std::system_error& error) {
    throw failed("it cannot be loaded: " + loader_message(error.what()));
  }
}

std::uint32_t kind_number(std::string_view kind) {
  return kind == "provider" ? GW_KIND_PROVIDER : GW_KIND_STAGE;
}

}  // namespace

PluginLibrary::PluginLibrary(const std::string& path, Channel& channel, const base::json::array& units) {
  gw_call call(channel);
  const gw_plugin* plugin = load(path)(&kHostTable, &call);
  if (!plugin) throw failed("godwit_plugin_v1() gave up: " + call.failure_text());
  if (plugin->struct_size < sizeof(gw_plugin) || plugin->abi_major != GW_ABI_MAJOR)
    throw failed("it was built for ABI " + std::to_string(plugin->abi_major) + ", this godwit-host loads ABI " +
                 std::to_string(GW_ABI_MAJOR));
  std::map<std::string, const gw_unit*> exported;
  for (std::uint32_t i = 0; i < plugin->unit_count; ++i) {
    check_unit(plugin->units[i]);
    exported.emplace(plugin->units[i]->id, plugin->units[i]);
  }
  for (const auto& entry : units) {
    const std::string id(entry.at("id").as_string());
    const auto found = exported.find(id);
    if (found == exported.end())
      throw failed("its manifest names the unit \"" + id + "\", which the file does not export");
    if (found->second->kind != kind_number(std::string_view(entry.at("kind").as_string())))
      throw failed("the unit \"" + id + "\" is of another kind in the file than in its manifest");
    units_.push_back(found->second);
  }
}

void PluginLibrary::check_unit(const gw_unit* unit) const {
  if (!unit || !unit->id) throw failed("it exports a unit without an id");
  if (unit->struct_size < sizeof(gw_unit) || !unit->open || !unit->run || !unit->close)
    throw failed("the unit \"" + std::string(unit->id) + "\" lacks a function");
}

void PluginLibrary::open(Channel& channel, const base::json::object& config) {
  for (const gw_unit* unit : units_) {
    const base::json::value* own = config.if_contains(unit->id);
    const std::string text = own ? base::serialize(*own) : "{}";
    gw_call call(channel);
    OpenUnit open{unit, nullptr};
    const gw_status status =
        unit->open(&kHostTable, &call, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, &open.self);
    if (status != GW_OK)
      throw failed("the unit \"" + std::string(unit->id) + "\" did not open: " + call.failure_text());
    order_.push_back(open);
    open_.emplace(unit->id, open);
  }
}

void PluginLibrary::close() {
  for (auto open = order_.rbegin(); open != order_.rend(); ++open) open->unit->close(open->self);
}

const PluginLibrary::OpenUnit* PluginLibrary::find(std::string_view id) const {
  const auto found = open_.find(id);
  return found == open_.end() ? nullptr : &found->second;
}

}  // namespace godwit::host
