#pragma once
#include <cstddef>
#include <string_view>

namespace godwit::cli {

// A file of sdk/template; the build writes its text into the program.
struct TemplateFile {
  std::string_view path;  // "cpp/plugin.json"; what stands in no language's folder is for all of them
  std::string_view text;  // with @NAME@ for the plugin's name
};
extern const TemplateFile kTemplateFiles[];
extern const std::size_t kTemplateFileCount;

}  // namespace godwit::cli
