#pragma once
#include <string>

namespace godwit::wire {

// The text of the ELF note "godwit", type 1, in the shared object at `path`, read without running any of its code.
// Every size in the file is taken for hostile. Throws Error(refused) that says what the file is instead, Error(failed)
// when it cannot be read.
std::string read_manifest_note(const std::string& path);

}  // namespace godwit::wire
