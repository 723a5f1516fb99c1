#include <sstream>

#include "config/option.hpp"
#include "config/settings.hpp"

namespace godwit::config {
namespace {

// Writes `text` in lines of at most `width` columns, each after `prefix`. A line of its own that is indented stays as
// it is.
void write_wrapped(std::ostream& out, std::string_view text, const std::string& prefix, std::size_t width) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(' ')) {
      out << prefix << line << '\n';
      continue;
    }
    std::istringstream words(line);
    std::string row = prefix;
    for (std::string word; words >> word;) {
      if (row.size() > prefix.size() && row.size() + 1 + word.size() > width) {
        out << row << '\n';
        row = prefix;
      }
      if (row.size() > prefix.size()) row += ' ';
      row += word;
    }
    out << row << '\n';
  }
}

// The options of a table with their sentences and defaults. Every line follows `margin`, every default `mark`, and
// `gap` comes before each option.
template <typename Target>
void write_options(std::ostream& out, const std::vector<OptionOf<Target>>& table, const std::string& margin,
                   const std::string& mark, const std::string& gap) {
  std::string group;
  for (const auto& option : table) {
    const std::string name = option.name;
    const std::size_t dot = name.find('.');
    const std::string its_group = dot == std::string::npos ? "" : name.substr(0, dot);
    out << gap;
    if (!its_group.empty() && its_group != group) out << margin << its_group << ":\n";
    group = its_group;
    const std::string indent = margin + (group.empty() ? "" : "  ");
    write_wrapped(out, option.sentence, indent + "# ", 120);
    if (*option.flag) out << indent << "# Command line: " << option.flag << ' ' << option.type << '\n';
    out << indent << mark << (dot == std::string::npos ? name : name.substr(dot + 1)) << ": " << option.standard
        << '\n';
  }
}

}  // namespace

std::string settings_help() {
  std::ostringstream out;
  out << "Usage: godwitd [OPTION]...\n\nRuns jobs that survive a killed process, a rebooted machine and a redeployed "
         "script.\n\nOptions:\n";
  const auto entry = [&](const std::string& flag, const std::string& type, const std::string& sentence) {
    out << "  " << flag << (type.empty() ? "" : " " + type) << '\n';
    write_wrapped(out, sentence, "        ", 100);
  };
  for (const Option& option : options()) {
    if (!*option.flag) continue;
    const bool plain = std::string_view(option.standard).find_first_of("\"[{") == std::string_view::npos;
    entry(option.flag, option.type,
          std::string(option.sentence) + (option.repeatable ? " Can be given several times." : "") +
              (plain ? " Default: " + std::string(option.standard) + "." : ""));
  }
  for (const Flag& flag : other_flags()) entry(flag.name, flag.type, flag.sentence);
  return out.str();
}

std::string settings_file() {
  std::ostringstream out;
  out << "# The settings of godwitd, each with its default. What the command line says wins over this file.\n"
         "# This file is printed by `godwitd --print-config`.\n";
  write_options(out, options(), "", "#", "\n");
  out << "#  ID:  # any plugin's id; these are the defaults\n";
  write_options(out, plugin_options(), "#    ", "", "");
  return out.str();
}

}  // namespace godwit::config
