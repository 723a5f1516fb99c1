#include "process/sandbox.hpp"

#include <sys/prctl.h>

#include <cerrno>
#include <cstring>

#include "process/landlock.hpp"
#include "process/resource_limits.hpp"
#include "process/seccomp_filter.hpp"

namespace godwit::process {

SandboxReport confine(const model::Grants& grants, const std::vector<std::string>& own_paths) {
  SandboxReport report;
  limit_resources(grants, report);
  drop_capabilities(report);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) {
    report.enforced.emplace_back("no new privileges");
  } else {
    report.missing.push_back(std::string("no new privileges: ") + std::strerror(errno));
  }
  restrict_by_landlock(grants, own_paths, report);
  restrict_by_seccomp(grants, report);
  return report;
}

}  // namespace godwit::process
