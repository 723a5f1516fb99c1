#pragma once
#include <cstddef>
#include <string_view>

namespace godwit::wire {

// The files of sdk/contracts; the build writes their text into the program.
extern const std::string_view kContractTexts[];
extern const std::size_t kContractTextCount;

}  // namespace godwit::wire
