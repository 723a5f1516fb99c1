#include "process/resource_limits.hpp"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace godwit::process {
namespace {

// Sanitizers map terabytes that they never touch.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// A limit of processes counts all of the user's, threads too, so it can only be a last line against fork bombs.
constexpr rlim_t kTasksOfUser = 4096;
constexpr rlim_t kThreadsOfUser = 16384;

class Limits {
 public:
  explicit Limits(SandboxReport& report) : report_(report) {}

  void set(__rlimit_resource_t resource, rlim_t value, const std::string& what) {
    rlimit now{};
    ::getrlimit(resource, &now);
    value = std::min(value, now.rlim_max);
    const rlimit wanted{value, value};
    if (::setrlimit(resource, &wanted) == 0) {
      report_.enforced.push_back(what);
    } else {
      report_.missing.push_back(what + ": " + std::strerror(errno));
    }
  }

 private:
  SandboxReport& report_;
};

}  // namespace

void limit_resources(const model::Grants& grants, SandboxReport& report) {
  Limits limits(report);
  limits.set(RLIMIT_CORE, 0, "no core dumps");
  limits.set(RLIMIT_NOFILE, grants.open_files, "open files <= " + std::to_string(grants.open_files));
  if (grants.memory > 0 && !kSanitized)
    limits.set(RLIMIT_DATA, grants.memory, "memory <= " + std::to_string(grants.memory >> 20) + " MiB a process");
  if (grants.cpu_seconds > 0) {
    rlimit cpu{grants.cpu_seconds, grants.cpu_seconds + 1};  // SIGXCPU first, which names the cause
    if (::setrlimit(RLIMIT_CPU, &cpu) == 0) {
      report.enforced.push_back("CPU time <= " + std::to_string(grants.cpu_seconds) + " s");
    } else {
      report.missing.push_back(std::string("CPU time: ") + std::strerror(errno));
    }
  }
  if (grants.file_size > 0 && grants.files.write.empty())
    limits.set(RLIMIT_FSIZE, grants.file_size + 1, "a file <= " + std::to_string(grants.file_size >> 20) + " MiB");
  if (::getuid() != 0)
    limits.set(RLIMIT_NPROC, (grants.processes > 0 ? kTasksOfUser : kThreadsOfUser) + grants.processes,
               "fork bombs end");
}

void drop_capabilities(SandboxReport& report) {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);  // refused to who has none, who needs it not
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  if (::syscall(SYS_capset, &header, none) == 0) {
    report.enforced.emplace_back("no capabilities");
  } else {
    report.missing.push_back(std::string("no capabilities: ") + std::strerror(errno));
  }
}

}  // namespace godwit::process
