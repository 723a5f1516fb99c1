#pragma once
#include "process/sandbox.hpp"

namespace godwit::process {

// The kernel's Landlock ABI, 0 when there is none.
int landlock_abi();

// Confines this process by Landlock: files, TCP ports, abstract sockets, signals to and sight of other processes, each
// as far as the kernel's ABI knows it. Needs no_new_privs.
void restrict_by_landlock(const model::Grants& grants, const std::vector<std::string>& own_paths,
                          SandboxReport& report);

}  // namespace godwit::process
