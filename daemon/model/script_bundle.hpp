#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace godwit::model {

// A Lua job as it is stored and pinned to its runs: the script, the modules it requires, and what the script said of
// itself when it was read (its header: everything in gw.job but `run`), so that taking up a run needs no Lua.
struct ScriptBundle {
  std::string file;                            // name of the script without its folder, for messages
  std::string text;                            // of the script
  std::map<std::string, std::string> modules;  // "lib.prices" to the text of lib/prices.lua
  std::optional<base::json::object> header;

  // One JSON document; equal bundles have equal text. Its SHA-256 is the version of the job.
  std::string to_text() const;
  // Empty when the text is no bundle, which no YAML job is taken for. Throws Error(refused) for a damaged one.
  static std::optional<ScriptBundle> parse(std::string_view text);
};

inline constexpr std::size_t kScriptSizeMax = 1u << 20;  // of one text
inline constexpr std::size_t kScriptModulesMax = 100;

// The file of a module, below the folder of its script: "lib/prices.lua" for "lib.prices".
std::string module_path(std::string name);
// Whether a file's name is that of a Lua job.
bool is_script_name(std::string_view file);
// The script with every module that its text, or the text of such a module, names in a require("..."), as far as
// `read_module` has it (given "lib/prices.lua", relative to the script's folder). Throws Error(refused) when there is
// too much of it.
ScriptBundle collect_script(std::string file, std::string text,
                            const std::function<std::optional<std::string>(const std::string& path)>& read_module);

}  // namespace godwit::model
