#pragma once
#include <string>
#include <string_view>

namespace godwit::jobfile {

// The same job as a Lua script: stages one after the other, those that do not wait for each other side by side.
// Comments are kept, those of a stage above it. Throws Error(refused) as parse() does, and for the few things that have
// no gw twin.
std::string to_lua(std::string_view yaml, const std::string& file);

}  // namespace godwit::jobfile
