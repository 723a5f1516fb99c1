#include <cstring>

#include "script/execution.hpp"

namespace godwit::script {
namespace {

constexpr int kFramesMax = 20;
constexpr std::size_t kLineMax = 120;

// The text of a line of the script or of a module, as messages call it ("lib/prices.lua").
std::string source_line(const model::ScriptBundle& bundle, const std::string& file, int line) {
  const std::string* text = file == bundle.file ? &bundle.text : nullptr;
  for (const auto& [name, module] : bundle.modules) {
    if (text) break;
    if (model::module_path(name) == file) text = &module;
  }
  if (!text) return {};
  std::size_t begin = 0;
  for (int i = 1; i < line && begin != std::string::npos; ++i) {
    begin = text->find('\n', begin);
    if (begin != std::string::npos) ++begin;
  }
  if (begin == std::string::npos) return {};
  std::string result = text->substr(begin, std::min(text->find('\n', begin) - begin, kLineMax));
  const std::size_t first = result.find_first_not_of(" \t");
  return first == std::string::npos ? std::string() : result.substr(first);
}

bool is_script(const lua_Debug& frame) {
  return std::strcmp(frame.what, "C") != 0 && frame.currentline > 0;
}

}  // namespace

ScriptLine script_line(lua_State* lua) {
  lua_Debug frame;
  for (int level = 0; lua_getstack(lua, level, &frame); ++level) {
    lua_getinfo(lua, "Sl", &frame);
    if (is_script(frame)) return {frame.short_src, frame.currentline};
  }
  return {};
}

std::string script_trace(lua_State* lua, const model::ScriptBundle& bundle) {
  std::string trace;
  lua_Debug frame;
  int frames = 0;
  for (int level = 0; lua_getstack(lua, level, &frame); ++level) {
    lua_getinfo(lua, "Sln", &frame);
    if (!is_script(frame)) continue;
    if (++frames > kFramesMax) {
      trace += "\n  ...";
      break;
    }
    trace += "\n  " + std::string(frame.short_src) + ":" + std::to_string(frame.currentline);
    if (frame.name) trace += std::string(" in ") + frame.name;
    const std::string source = source_line(bundle, frame.short_src, frame.currentline);
    if (!source.empty()) trace += ": " + source;
  }
  return trace;
}

std::string error_text(lua_State* lua) {
  if (lua_type(lua, -1) == LUA_TSTRING || lua_type(lua, -1) == LUA_TNUMBER) {
    std::string text = lua_tostring(lua, -1);
    // The only light userdata there is stands for JSON's null.
    for (const char* what : {"a userdata value", "two userdata values"}) {
      const std::size_t at = text.find(what);
      if (at != std::string::npos)
        text.replace(at, std::strlen(what), what[0] == 'a' ? "a null value" : "two null values");
    }
    return text;
  }
  return std::string("an error that is no text but a ") + luaL_typename(lua, -1);
}

}  // namespace godwit::script
