#include "process/seccomp_filter.hpp"

#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <type_traits>

namespace godwit::process {
namespace {

// What an interpreter that got everything through its socket needs.
constexpr const char* kScriptCalls[] = {"brk",
                                        "clock_getres",
                                        "clock_gettime",
                                        "clock_nanosleep",
                                        "close",
                                        "dup",
                                        "epoll_create1",
                                        "epoll_ctl",
                                        "epoll_pwait",
                                        "epoll_wait",
                                        "eventfd2",
                                        "exit",
                                        "exit_group",
                                        "fstat",
                                        "futex",
                                        "get_robust_list",
                                        "getpid",
                                        "getppid",
                                        "getrandom",
                                        "getrusage",
                                        "gettid",
                                        "gettimeofday",
                                        "lseek",
                                        "madvise",
                                        "membarrier",
                                        "mremap",
                                        "munmap",
                                        "nanosleep",
                                        "newfstatat",
                                        "pipe2",
                                        "poll",
                                        "ppoll",
                                        "read",
                                        "readv",
                                        "recvfrom",
                                        "recvmsg",
                                        "restart_syscall",
                                        "rseq",
                                        "rt_sigaction",
                                        "rt_sigpending",
                                        "rt_sigprocmask",
                                        "rt_sigreturn",
                                        "rt_sigtimedwait",
                                        "sched_getaffinity",
                                        "sched_yield",
                                        "sendmsg",
                                        "sendto",
                                        "set_robust_list",
                                        "set_tid_address",
                                        "shutdown",
                                        "sigaltstack",
                                        "sysinfo",
                                        "time",
                                        "timer_create",
                                        "timer_delete",
                                        "timer_settime",
                                        "timerfd_create",
                                        "timerfd_settime",
                                        "uname",
                                        "write",
                                        "writev"};

// What plugins get besides: files (as far as Landlock lets them), memory, threads, events. Sockets, processes and
// signals to others have rules of their own.
constexpr const char* kPluginCalls[] = {"access",
                                        "alarm",
                                        "arch_prctl",
                                        "capget",
                                        "chdir",
                                        "chmod",
                                        "close_range",
                                        "copy_file_range",
                                        "creat",
                                        "dup2",
                                        "dup3",
                                        "epoll_create",
                                        "epoll_pwait2",
                                        "eventfd",
                                        "faccessat",
                                        "faccessat2",
                                        "fadvise64",
                                        "fallocate",
                                        "fchdir",
                                        "fchmod",
                                        "fchmodat",
                                        "fchown",
                                        "fchownat",
                                        "fdatasync",
                                        "fgetxattr",
                                        "flistxattr",
                                        "flock",
                                        "fremovexattr",
                                        "fsetxattr",
                                        "fstatfs",
                                        "fsync",
                                        "ftruncate",
                                        "futex_waitv",
                                        "futimesat",
                                        "getcpu",
                                        "getcwd",
                                        "getdents",
                                        "getdents64",
                                        "getegid",
                                        "geteuid",
                                        "getgid",
                                        "getgroups",
                                        "getitimer",
                                        "getpeername",
                                        "getpgid",
                                        "getpgrp",
                                        "getpriority",
                                        "getresgid",
                                        "getresuid",
                                        "getrlimit",
                                        "getsid",
                                        "getsockname",
                                        "getsockopt",
                                        "getuid",
                                        "getxattr",
                                        "inotify_add_watch",
                                        "inotify_init",
                                        "inotify_init1",
                                        "inotify_rm_watch",
                                        "ioprio_get",
                                        "landlock_add_rule",
                                        "landlock_create_ruleset",
                                        "landlock_restrict_self",
                                        "lchown",
                                        "lgetxattr",
                                        "link",
                                        "linkat",
                                        "listxattr",
                                        "llistxattr",
                                        "lremovexattr",
                                        "lsetxattr",
                                        "lstat",
                                        "map_shadow_stack",
                                        "mincore",
                                        "mkdir",
                                        "mkdirat",
                                        "mlock",
                                        "mlock2",
                                        "mlockall",
                                        "mmap",
                                        "mprotect",
                                        "msync",
                                        "munlock",
                                        "munlockall",
                                        "open",
                                        "openat",
                                        "openat2",
                                        "pause",
                                        "pidfd_open",
                                        "pipe",
                                        "pkey_alloc",
                                        "pkey_free",
                                        "pkey_mprotect",
                                        "pread64",
                                        "preadv",
                                        "preadv2",
                                        "prctl",
                                        "pselect6",
                                        "pwrite64",
                                        "pwritev",
                                        "pwritev2",
                                        "readahead",
                                        "readlink",
                                        "readlinkat",
                                        "recvmmsg",
                                        "removexattr",
                                        "rename",
                                        "renameat",
                                        "renameat2",
                                        "rmdir",
                                        "rt_sigsuspend",
                                        "sched_get_priority_max",
                                        "sched_get_priority_min",
                                        "sched_getattr",
                                        "sched_getparam",
                                        "sched_getscheduler",
                                        "sched_rr_get_interval",
                                        "seccomp",
                                        "select",
                                        "sendfile",
                                        "sendmmsg",
                                        "setitimer",
                                        "setsockopt",
                                        "setxattr",
                                        "signalfd",
                                        "signalfd4",
                                        "splice",
                                        "stat",
                                        "statfs",
                                        "statx",
                                        "symlink",
                                        "symlinkat",
                                        "sync_file_range",
                                        "syncfs",
                                        "tee",
                                        "timer_getoverrun",
                                        "timer_gettime",
                                        "timerfd_gettime",
                                        "times",
                                        "truncate",
                                        "umask",
                                        "unlink",
                                        "unlinkat",
                                        "utime",
                                        "utimensat",
                                        "utimes",
                                        "vmsplice",
                                        "wait4",
                                        "waitid"};

// What starting programs, and being one, needs. Whom such a process may signal is Landlock's business.
constexpr const char* kProgramCalls[] = {"chown",
                                         "execve",
                                         "execveat",
                                         "ioprio_set",
                                         "kill",
                                         "memfd_create",
                                         "mknod",
                                         "mknodat",
                                         "msgctl",
                                         "msgget",
                                         "msgrcv",
                                         "msgsnd",
                                         "pidfd_send_signal",
                                         "rt_sigqueueinfo",
                                         "rt_tgsigqueueinfo",
                                         "sched_setaffinity",
                                         "semctl",
                                         "semget",
                                         "semop",
                                         "semtimedop",
                                         "setfsgid",
                                         "setfsuid",
                                         "setgid",
                                         "setgroups",
                                         "setpgid",
                                         "setpriority",
                                         "setregid",
                                         "setresgid",
                                         "setresuid",
                                         "setreuid",
                                         "setrlimit",
                                         "setsid",
                                         "setuid",
                                         "shmat",
                                         "shmctl",
                                         "shmdt",
                                         "shmget",
                                         "sync",
                                         "tgkill",
                                         "tkill"};

// Refused in words that no library mistakes for an old kernel; a script is killed for trying.
constexpr const char* kDangerous[] = {"acct",
                                      "add_key",
                                      "adjtimex",
                                      "bpf",
                                      "chroot",
                                      "clock_adjtime",
                                      "clock_settime",
                                      "delete_module",
                                      "finit_module",
                                      "fsconfig",
                                      "fsmount",
                                      "fsopen",
                                      "fspick",
                                      "init_module",
                                      "ioperm",
                                      "iopl",
                                      "kcmp",
                                      "kexec_file_load",
                                      "kexec_load",
                                      "keyctl",
                                      "lookup_dcookie",
                                      "mbind",
                                      "migrate_pages",
                                      "mount",
                                      "mount_setattr",
                                      "move_mount",
                                      "move_pages",
                                      "name_to_handle_at",
                                      "nfsservctl",
                                      "open_by_handle_at",
                                      "open_tree",
                                      "perf_event_open",
                                      "personality",
                                      "pidfd_getfd",
                                      "pivot_root",
                                      "process_madvise",
                                      "process_mrelease",
                                      "process_vm_readv",
                                      "process_vm_writev",
                                      "ptrace",
                                      "quotactl",
                                      "quotactl_fd",
                                      "reboot",
                                      "request_key",
                                      "set_mempolicy",
                                      "setdomainname",
                                      "sethostname",
                                      "setns",
                                      "settimeofday",
                                      "swapoff",
                                      "swapon",
                                      "syslog",
                                      "umount2",
                                      "unshare",
                                      "uselib",
                                      "userfaultfd",
                                      "vhangup"};

constexpr int kFamilies = 46;  // AF_* that Linux has
constexpr std::uint64_t kTypeMask = 0xf;
constexpr scmp_datum_t kMsgFastOpen = 0x20000000;
constexpr std::uint64_t kNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

// A filter in the making: a default and rules; what the library does not know on this machine is left out.
class Filter {
 public:
  Filter(std::uint32_t standard, std::uint32_t refusal) : refusal_(refusal), filter_(seccomp_init(standard)) {
    if (!filter_) return;
    seccomp_attr_set(filter_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    seccomp_attr_set(filter_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  }

  template <typename... Conditions>
  void allow(const char* call, Conditions... conditions) {
    add(SCMP_ACT_ALLOW, call, conditions...);
  }
  template <typename... Conditions>
  void refuse(const char* call, Conditions... conditions) {
    add(refusal_, call, conditions...);
  }
  // The reason why it cannot be put in force, empty when it is.
  std::string load() {
    if (!filter_) return "no memory";
    if (error_ == 0) error_ = seccomp_load(filter_.get());
    return error_ == 0 ? std::string() : std::strerror(-error_);
  }

 private:
  template <typename... Conditions>
  void add(std::uint32_t action, const char* call, Conditions... conditions) {
    const int number = seccomp_syscall_resolve_name(call);
    if (!filter_ || number == __NR_SCMP_ERROR) return;
    const scmp_arg_cmp list[] = {conditions..., scmp_arg_cmp{}};
    const int error = seccomp_rule_add_array(filter_.get(), action, number, sizeof...(Conditions), list);
    // Not on this architecture (open() on arm64) is fine.
    if (error != 0 && error != -EDOM && error_ == 0) error_ = error;
  }

  std::uint32_t refusal_;
  std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, Release> filter_;
  int error_ = 0;
};

scmp_arg_cmp is(unsigned argument, scmp_datum_t value) {
  return {argument, SCMP_CMP_EQ, value, 0};
}
scmp_arg_cmp is_not(unsigned argument, scmp_datum_t value) {
  return {argument, SCMP_CMP_NE, value, 0};
}
scmp_arg_cmp has(unsigned argument, scmp_datum_t mask, scmp_datum_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

// A socket of `family` and, when it is not 0, of one type; a TCP socket must be plain TCP, since Landlock knows no
// other.
void allow_internet(Filter& filter, scmp_datum_t family, const model::NetworkGrants& network) {
  for (const scmp_datum_t type : {SOCK_STREAM, SOCK_DGRAM}) {
    const bool granted = type == SOCK_STREAM ? network.tcp() : network.udp;
    const scmp_datum_t protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
    if (!granted) {
      filter.refuse("socket", is(0, family), has(1, kTypeMask, type));
      continue;
    }
    filter.allow("socket", is(0, family), has(1, kTypeMask, type), is(2, 0));
    filter.allow("socket", is(0, family), has(1, kTypeMask, type), is(2, protocol));
  }
  filter.refuse("socket", is(0, family), has(1, kTypeMask, SOCK_RAW));
}

void add_socket_rules(Filter& filter, const model::NetworkGrants& network) {
  // Stream pairs only: a datagram socket can send to any name, however it was made.
  filter.allow("socketpair", is(0, AF_UNIX), has(1, kTypeMask, SOCK_STREAM));
  filter.allow("socketpair", is(0, AF_UNIX), has(1, kTypeMask, SOCK_SEQPACKET));
  const bool internet = network.tcp() || network.udp;
  if (!internet && !network.unix_sockets) {
    for (const char* call : {"socket", "connect", "bind", "listen", "accept", "accept4"}) filter.refuse(call);
    return;
  }
  for (int family = 0; family < kFamilies; ++family) {
    const auto value = static_cast<scmp_datum_t>(family);
    if (family == AF_INET || family == AF_INET6) {
      allow_internet(filter, value, network);
    } else if (family == AF_UNIX && network.unix_sockets) {
      filter.allow("socket", is(0, value));
    } else if (family == AF_NETLINK && internet) {
      filter.allow("socket", is(0, value), is(2, NETLINK_ROUTE));  // which addresses the machine has
    } else {
      filter.refuse("socket", is(0, value));
    }
  }
  filter.allow("connect");
  filter.allow("bind");
  // listen() gives a socket without a port any port, which no rule about bind() sees.
  const bool serves = !network.listen.empty() || network.unix_sockets;
  for (const char* call : {"listen", "accept", "accept4"}) serves ? filter.allow(call) : filter.refuse(call);
}

void add_any_socket_rules(Filter& filter) {
  for (const char* call : {"socketpair", "connect", "bind", "listen", "accept", "accept4"}) filter.allow(call);
  for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK})
    filter.allow("socket", is(0, static_cast<scmp_datum_t>(family)));
}

// Threads for everybody, processes as granted. clone3() hides its flags from filters: without it libc takes clone().
void add_process_rules(Filter& filter, const model::Grants& grants) {
  if (!grants.exec && grants.processes == 0) {
    filter.allow("clone", has(0, CLONE_THREAD, CLONE_THREAD));
    filter.refuse("clone", has(0, CLONE_THREAD, 0));
    filter.refuse("fork");
    filter.refuse("vfork");
  } else {
    filter.allow("clone", has(0, kNamespaces, 0));
    filter.allow("fork");
    filter.allow("vfork");
  }
  if (grants.exec) return;
  const auto self = static_cast<scmp_datum_t>(::getpid());
  for (const char* call : {"execve", "execveat", "pidfd_send_signal", "setrlimit", "setpriority", "sched_setscheduler",
                           "sched_setparam", "sched_setattr", "ioprio_set", "setpgid", "setsid"})
    filter.refuse(call);
  for (const char* call : {"kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"}) {
    if (grants.processes > 0) {
      filter.allow(call);  // its children have other numbers; Landlock keeps it from all others
      continue;
    }
    filter.allow(call, is(0, self));
    filter.refuse(call, is_not(0, self));
  }
  filter.refuse("tkill");
  filter.allow("sched_setaffinity", is(0, 0));
  filter.refuse("sched_setaffinity", is_not(0, 0));
}

// What a list of names cannot say: calls that are harmless but for one argument.
std::string refuse_arguments(const model::Grants& grants) {
  Filter filter(SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(EPERM));
  for (const scmp_datum_t request : {TIOCSTI, TIOCLINUX, FIOSETOWN, SIOCSPGRP})
    filter.refuse("ioctl", has(1, 0xffffffff, request));
  for (const scmp_datum_t command : {F_SETOWN, F_SETOWN_EX}) filter.refuse("fcntl", has(1, 0xffffffff, command));
  // Another process's limits are open to every process of the same user.
  filter.refuse("prlimit64", is_not(0, 0), is_not(2, 0));
  // A plugin whose daemon was killed ends with it, even when it reads the daemon's socket itself.
  if (!grants.exec) filter.refuse("prctl", is(0, PR_SET_PDEATHSIG));
  // Memory that RLIMIT_DATA does not count: who may start no other process has nobody to share it with.
  if (grants.memory > 0 && !grants.exec && grants.processes == 0) {
    filter.refuse("mmap", has(3, MAP_TYPE | MAP_ANONYMOUS, MAP_SHARED | MAP_ANONYMOUS));
    filter.refuse("mmap", has(3, MAP_GROWSDOWN, MAP_GROWSDOWN));
  }
  if (!grants.network.any) {
    // Connects without connect().
    filter.refuse("sendto", has(3, kMsgFastOpen, kMsgFastOpen));
    filter.refuse("sendmsg", has(2, kMsgFastOpen, kMsgFastOpen));
    filter.refuse("sendmmsg", has(3, kMsgFastOpen, kMsgFastOpen));
  }
  return filter.load();
}

std::string load_plugin_filter(const model::Grants& grants) {
  Filter filter(SCMP_ACT_ERRNO(ENOSYS), SCMP_ACT_ERRNO(EPERM));
  for (const char* call : kScriptCalls) filter.allow(call);
  for (const char* call : kPluginCalls) filter.allow(call);
  for (const char* call : {"ioctl", "fcntl", "prlimit64"}) filter.allow(call);
  if (grants.exec)
    for (const char* call : kProgramCalls) filter.allow(call);
  for (const char* call : kDangerous) filter.refuse(call);
  if (!grants.exec) filter.refuse("memfd_create");
  add_process_rules(filter, grants);
  grants.network.any ? add_any_socket_rules(filter) : add_socket_rules(filter, grants.network);
  return filter.load();
}

std::string load_script_filter() {
  Filter filter(SCMP_ACT_ERRNO(ENOSYS), SCMP_ACT_KILL_PROCESS);
  for (const char* call : kScriptCalls) filter.allow(call);
  for (const char* call : kDangerous) filter.refuse(call);
  for (const char* call : {"socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "execve",
                           "execveat", "fork", "vfork", "memfd_create"})
    filter.refuse(call);
  filter.allow("clone", has(0, CLONE_THREAD, CLONE_THREAD));
  filter.refuse("clone", has(0, CLONE_THREAD, 0));
  for (const char* call : {"mmap", "mprotect"}) {
    filter.allow(call, has(2, PROT_EXEC, 0));
    filter.refuse(call, has(2, PROT_EXEC, PROT_EXEC));
  }
  const auto self = static_cast<scmp_datum_t>(::getpid());
  for (const char* call : {"kill", "tgkill"}) {
    filter.allow(call, is(0, self));
    filter.refuse(call, is_not(0, self));
  }
  filter.allow("prlimit64", is(2, 0));
  // The library must not be told that there are no files at all: it looks for things that need not be there.
  for (const char* call : {"access", "open", "openat", "stat", "lstat", "statx", "readlink", "fcntl", "prctl"})
    filter.allow(call);
  return filter.load();
}

}  // namespace

void restrict_by_seccomp(const model::Grants& grants, SandboxReport& report) {
  const bool script = grants.profile == model::SandboxProfile::script;
  std::string trouble;
  if (!script) trouble = refuse_arguments(grants);
  if (trouble.empty()) trouble = script ? load_script_filter() : load_plugin_filter(grants);
  if (trouble.empty()) {
    report.enforced.emplace_back("system calls");
  } else {
    report.missing.push_back("system calls: seccomp: " + trouble);
  }
}

}  // namespace godwit::process
