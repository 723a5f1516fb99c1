#pragma once
#include "process/sandbox.hpp"

namespace godwit::process {

// Confines this process by seccomp: what is not on the list of its profile does not exist (ENOSYS), what is dangerous
// or not granted is refused (EPERM); a script is killed for it. Needs no_new_privs.
void restrict_by_seccomp(const model::Grants& grants, SandboxReport& report);

}  // namespace godwit::process
