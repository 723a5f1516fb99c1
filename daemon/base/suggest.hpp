#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace godwit::base {

// "did you mean 'foreach'?" when one of the known words is near enough to `word`, else an empty string.
std::string suggest(std::string_view word, const std::vector<std::string>& known);

}  // namespace godwit::base
