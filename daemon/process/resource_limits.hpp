#pragma once
#include "process/sandbox.hpp"

namespace godwit::process {

// Sets the rlimits that stand for the grants, soft and hard alike.
void limit_resources(const model::Grants& grants, SandboxReport& report);
// Takes every capability away, for good: what root may do is not what its plugins may do.
void drop_capabilities(SandboxReport& report);

}  // namespace godwit::process
