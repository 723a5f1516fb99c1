#pragma once
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace godwit::support {

// What a file holds; empty when there is none. A file of /proc whose process ends while it is read is none either,
// which an iterator over the stream would answer with an exception.
inline std::string file_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  return text.str();
}

}  // namespace godwit::support
