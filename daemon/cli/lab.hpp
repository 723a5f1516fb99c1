#pragma once
#include "base/json.hpp"

namespace godwit::cli {

// This program becomes godwit-lab, which can do without a daemon what needs the job files' language or the engine;
// Ctrl-C, output and exit code are then its own. Throws Error(failed) when it cannot be started.
[[noreturn]] void become_lab(const base::json::object& request);

}  // namespace godwit::cli
