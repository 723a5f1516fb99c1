#include "process/landlock.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/unique_fd.hpp"

namespace godwit::process {
namespace {

// What came after the headers of Debian 12; the kernel says by its ABI what it knows.
constexpr std::uint64_t kTruncate = 1ull << 14;  // ABI 3
constexpr std::uint64_t kIoctlDev = 1ull << 15;  // ABI 5
constexpr std::uint64_t kBindTcp = 1ull << 0;    // ABI 4
constexpr std::uint64_t kConnectTcp = 1ull << 1;
constexpr std::uint64_t kScopeAbstract = 1ull << 0;  // ABI 6
constexpr std::uint64_t kScopeSignal = 1ull << 1;
constexpr int kRuleNetPort = 2;

struct RulesetAttributes {
  std::uint64_t files;
  std::uint64_t network;
  std::uint64_t scoped;
};
struct PortRule {
  std::uint64_t allowed;
  std::uint64_t port;
};

constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWrite =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | kTruncate | kIoctlDev;
constexpr std::uint64_t kOfFiles =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | kTruncate | kIoctlDev;
constexpr std::uint64_t kAll =
    kRead | kWrite | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;

// What every plugin may read: shared libraries and their data, the time zone, its own process, the machine's shape.
constexpr const char* kSystemPaths[] = {"/usr",
                                        "/lib",
                                        "/lib64",
                                        "/lib32",
                                        "/etc/ld.so.cache",
                                        "/etc/ld.so.conf",
                                        "/etc/ld.so.conf.d",
                                        "/etc/localtime",
                                        "/etc/timezone",
                                        "/etc/alternatives",
                                        "/proc/self",
                                        "/proc/cpuinfo",
                                        "/proc/meminfo",
                                        "/sys/devices/system/cpu"};
constexpr const char* kDevices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
// What names of machines and services and the trust in certificates are looked up in.
constexpr const char* kNetworkPaths[] = {
    "/etc/resolv.conf", "/etc/hosts",     "/etc/host.conf", "/etc/nsswitch.conf",   "/etc/gai.conf",
    "/etc/services",    "/etc/protocols", "/etc/ssl",       "/etc/ca-certificates", "/etc/pki"};
constexpr const char* kProgramPaths[] = {"/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/opt"};

std::uint64_t file_rights(int abi) {
  std::uint64_t rights = kAll;
  if (abi < 2) rights &= ~std::uint64_t{LANDLOCK_ACCESS_FS_REFER};
  if (abi < 3) rights &= ~kTruncate;
  if (abi < 5) rights &= ~kIoctlDev;
  return rights;
}

// One set of rules, made and then put in force.
class Ruleset {
 public:
  explicit Ruleset(const RulesetAttributes& attributes)
      : files_(attributes.files),
        fd_(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0))) {}

  bool made() const { return static_cast<bool>(fd_); }

  // False when there is nothing at the path or it cannot be looked at.
  bool allow(const std::string& path, std::uint64_t rights) {
    const base::UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) return false;
    if (!S_ISDIR(status.st_mode)) rights &= kOfFiles;
    landlock_path_beneath_attr rule{};
    rule.allowed_access = rights & files_;
    rule.parent_fd = fd.get();
    return ::syscall(SYS_landlock_add_rule, fd_.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
  }
  void allow_port(std::uint16_t port, std::uint64_t rights) {
    const PortRule rule{rights, port};
    ::syscall(SYS_landlock_add_rule, fd_.get(), kRuleNetPort, &rule, 0);
  }
  bool enforce() { return ::syscall(SYS_landlock_restrict_self, fd_.get(), 0) == 0; }

 private:
  std::uint64_t files_;
  base::UniqueFd fd_;
};

RulesetAttributes attributes_for(const model::Grants& grants, int abi) {
  RulesetAttributes result{file_rights(abi), 0, 0};
  if (abi >= 4 && !grants.network.any) result.network = kBindTcp | kConnectTcp;
  if (abi >= 6) {
    result.scoped = kScopeSignal;
    if (!grants.network.any && !grants.network.abstract_sockets) result.scoped |= kScopeAbstract;
  }
  return result;
}

void allow_system(Ruleset& rules, const model::Grants& grants) {
  for (const char* path : kSystemPaths) rules.allow(path, kRead);
  for (const char* path : kDevices) rules.allow(path, kRead | LANDLOCK_ACCESS_FS_WRITE_FILE);
  if (grants.network.tcp() || grants.network.udp)
    for (const char* path : kNetworkPaths) rules.allow(path, kRead);
  if (grants.exec)
    for (const char* path : kProgramPaths) rules.allow(path, kRead | LANDLOCK_ACCESS_FS_EXECUTE);
}

void allow_granted(Ruleset& rules, const model::Grants& grants, SandboxReport& report) {
  const std::uint64_t run = grants.exec ? LANDLOCK_ACCESS_FS_EXECUTE : 0;
  const auto allow = [&](const std::vector<std::string>& paths, std::uint64_t rights) {
    for (const auto& path : paths)
      if (!rules.allow(path, rights | run)) report.notes.push_back("there is no " + path + " to grant");
  };
  allow(grants.files.read, kRead);
  allow(grants.files.write, kRead | kWrite);
  for (const std::uint16_t port : grants.network.connect) rules.allow_port(port, kConnectTcp);
  for (const std::uint16_t port : grants.network.listen) rules.allow_port(port, kBindTcp);
}

// Says what this ABI leaves open of what the grants would close.
void report_gaps(const model::Grants& grants, int abi, SandboxReport& report) {
  const auto gap = [&](int since, bool matters, const char* what) {
    if (!matters) return;
    if (abi >= since) {
      report.enforced.emplace_back(what);
    } else {
      report.missing.push_back(std::string(what) + ": needs Landlock ABI " + std::to_string(since) +
                               ", this kernel has " + std::to_string(abi));
    }
  };
  gap(1, true, "files");
  gap(3, true, "truncation of files");
  gap(5, true, "ioctl of devices");
  // Without a TCP socket, or a Unix one, there is nothing that rules could be about: seccomp sees to that.
  gap(4, grants.network.tcp() && !grants.network.any, "TCP ports");
  gap(6, grants.network.unix_sockets && !grants.network.abstract_sockets && !grants.network.any, "abstract sockets");
  gap(6, grants.exec || grants.processes > 0, "signals to other processes");
}

}  // namespace

int landlock_abi() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

void restrict_by_landlock(const model::Grants& grants, const std::vector<std::string>& own_paths,
                          SandboxReport& report) {
  const int abi = landlock_abi();
  if (abi == 0) {
    report.missing.emplace_back("files: this kernel has no Landlock");
    return;
  }
  Ruleset rules(attributes_for(grants, abi));
  if (rules.made()) {
    if (grants.profile == model::SandboxProfile::plugin) {
      allow_system(rules, grants);
      allow_granted(rules, grants, report);
    }
    for (const auto& path : own_paths) rules.allow(path, kRead);
  }
  if (!rules.made() || !rules.enforce()) {
    report.missing.push_back(std::string("files: Landlock: ") + std::strerror(errno));
    return;
  }
  report_gaps(grants, abi, report);
}

}  // namespace godwit::process
