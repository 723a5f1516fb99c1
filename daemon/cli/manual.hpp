#pragma once
#include <string>

#include "cli/command_line.hpp"

namespace godwit::cli {

// Texts made from the table of commands.
std::string overview();
std::string help_of(const CommandInfo& command);
// A manual page in troff's man macros.
std::string manual_page();
std::string bash_completion();

}  // namespace godwit::cli
