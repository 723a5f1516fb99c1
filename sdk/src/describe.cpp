// godwit-describe PLUGIN.so PLUGIN.json: a step of the build (GodwitPlugin.cmake, TYPED). Asks the new plugin for the
// schemas of its own types (godwit/ext/describe.h) and writes them into the room that was left in its manifest note.
// What plugin.json says itself stays as it is.
#include <dlfcn.h>
#include <godwit/ext/describe.h>

#include <boost/json.hpp>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace {

namespace json = boost::json;

std::string read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(std::string("cannot read ") + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

json::object ask(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(dlerror());
  void* symbol = dlsym(library, "godwit_plugin_v1");
  if (!symbol) throw std::runtime_error(std::string(path) + " does not export godwit_plugin_v1");
  static gw_host host{};
  host.struct_size = sizeof host;
  host.extension = [](const char*) -> const void* { return nullptr; };
  host.log = [](gw_call*, int32_t, gw_view, gw_view) {};
  host.fail = [](gw_call*, gw_view, gw_view text, int64_t) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.len), reinterpret_cast<const char*>(text.ptr));
  };
  const gw_plugin* plugin = reinterpret_cast<const gw_plugin* (*)(const gw_host*, gw_call*)>(symbol)(&host, nullptr);
  if (!plugin || !plugin->extension) throw std::runtime_error("the plugin does not offer " GW_EXT_DESCRIBE);
  const auto* table = static_cast<const gw_plugin_describe*>(plugin->extension(GW_EXT_DESCRIBE));
  if (!table) throw std::runtime_error("the plugin does not offer " GW_EXT_DESCRIBE);
  gw_view units{};
  table->units(&units);
  return json::parse(json::string_view(reinterpret_cast<const char*>(units.ptr), units.len)).as_object();
}

// Adds what is not there, at any depth of objects that both have; schemas that the author wrote are not mixed with
// others.
void complete_method(json::object& method, const json::object& described) {
  for (const char* key : {"config", "args", "result"})
    if (const json::value* schema = described.if_contains(key); schema && !method.contains(key)) method[key] = *schema;
}

void complete(json::object& unit, const json::object& described) {
  const json::value* methods = described.if_contains("methods");
  if (!methods) return complete_method(unit, described);
  if (const json::value* config = described.if_contains("config"); config && !unit.contains("config"))
    unit["config"] = *config;
  json::object& own = unit.contains("methods") ? unit["methods"].as_object() : unit["methods"].emplace_object();
  for (const auto& method : methods->as_object()) {
    if (!own.contains(method.key())) own[method.key()].emplace_object();
    complete_method(own[method.key()].as_object(), method.value().as_object());
  }
}

void write_note(const char* path, const std::string& manifest) {
  std::string bytes = read_file(path);
  // Two numbers and the name; what lies between them is the size of the note.
  const std::uint32_t name_size = 7, type = 1;
  std::size_t at = 0;
  while ((at = bytes.find(std::string("godwit\0", 7), at + 1)) != std::string::npos) {
    std::uint32_t header[3];
    if (at < sizeof header) continue;
    std::memcpy(header, bytes.data() + at - sizeof header, sizeof header);
    if (header[0] != name_size || header[2] != type || at + 8 + header[1] > bytes.size()) continue;
    if (manifest.size() > header[1])
      throw std::runtime_error("the manifest with its schemas has " + std::to_string(manifest.size()) +
                               " bytes, its note " + std::to_string(header[1]) +
                               ": raise NOTE_SIZE of godwit_add_plugin()");
    std::string note = manifest + std::string(header[1] - manifest.size(), ' ');
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at + 8));
    file.write(note.data(), static_cast<std::streamsize>(note.size()));
    if (!file.flush()) throw std::runtime_error(std::string("cannot write ") + path);
    return;
  }
  throw std::runtime_error(std::string(path) + " has no manifest note");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fputs("usage: godwit-describe PLUGIN.so PLUGIN.json\n", stderr);
    return 2;
  }
  try {
    json::value manifest = json::parse(read_file(arguments[2]));
    const json::object described = ask(arguments[1]);
    for (auto& unit : manifest.at("units").as_array())
      if (const json::value* known = described.if_contains(unit.at("id").as_string()))
        complete(unit.as_object(), known->as_object());
    write_note(arguments[1], json::serialize(manifest));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "godwit-describe: %s: %s\n", arguments[1], error.what());
    return 1;
  }
  return 0;
}
