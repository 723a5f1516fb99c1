#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/yaml_document.hpp"

namespace godwit::jobfile {

// Finds where the expressions of a file stand in its text. YAML gives only the place where a value begins, and a folded
// or indented value has lost its lines.
class Locator {
 public:
  Locator(std::string_view text, std::string file);

  // The places of what follows each "${" of a scalar, in order; fewer when the text spells one by escapes.
  std::vector<base::Place> expressions(const config::YamlNode& node, const std::string& path) const;
  // The place of byte `offset` of an expression that begins at `start`.
  base::Place inside(const base::Place& start, std::string_view expression, std::size_t offset) const;

 private:
  std::size_t offset_of(int line, int column) const;
  base::Place place_of(std::size_t offset, const std::string& path) const;

  std::string_view text_;
  std::string file_;
  std::vector<std::size_t> lines_;  // the offset at which each line begins
};

}  // namespace godwit::jobfile
