#pragma once
#include <boost/describe/class.hpp>
#include <string>
#include <vector>

#include "model/grants.hpp"

namespace godwit::process {

// What came of confine(), in words for people: what holds now, and what this kernel or this user could not do.
struct SandboxReport {
  std::vector<std::string> enforced;
  std::vector<std::string> missing;
  std::vector<std::string> notes;  // what the operator should know and no more: a granted path that does not exist

  BOOST_DESCRIBE_CLASS(SandboxReport, (), (enforced, missing, notes), (), ())
};

// Confines this process and all it will start to the grants, for good: resource limits, capabilities, no_new_privs,
// Landlock, seccomp, in this order. To be called while there is one thread and before any foreign code is loaded.
// `own_paths` may be read whatever the grants say. What cannot be done is reported, not thrown.
SandboxReport confine(const model::Grants& grants, const std::vector<std::string>& own_paths);

}  // namespace godwit::process
