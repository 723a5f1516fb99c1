#pragma once
#include "base/json.hpp"

namespace godwit::lab {

// What `godwit` asks of godwit-lab: {"command": "test", ...}. The command line is taken apart by godwit, which knows
// help and usage; here every member has its meaning in commands.cpp. Gives the exit code; throws base::Error.
int run_command(const base::json::object& request);

}  // namespace godwit::lab
