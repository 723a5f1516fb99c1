#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "cli/session.hpp"

namespace godwit::cli {

// Gives the content of an artifact, piece by piece, in order. `name` is "sha256:...".
void read_artifact(Session& session, const std::string& name, const std::function<void(std::string_view)>& piece);

}  // namespace godwit::cli
