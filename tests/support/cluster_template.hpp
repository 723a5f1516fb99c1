#pragma once
#include <filesystem>

namespace godwit::support {

// Lays an empty private cluster into a state directory that has none: a copy of one that is made once for all tests,
// since to make one takes seconds of two processors. Throws when that does not work.
void lay_cluster(const std::filesystem::path& state_dir);

}  // namespace godwit::support
