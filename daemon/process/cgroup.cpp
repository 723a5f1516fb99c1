#include "process/cgroup.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/error.hpp"

namespace godwit::process {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "host-";

// These files take one write() each and say no by its result.
bool write_file(const fs::path& path, const std::string& text) {
  const base::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool is_delegated(const fs::path& path) {
  for (const char* name : {"user.delegate", "trusted.delegate"}) {
    char value = 0;
    if (::getxattr(path.c_str(), name, &value, 1) == 1 && value == '1') return true;
  }
  struct stat status {};
  return ::geteuid() != 0 && ::stat(path.c_str(), &status) == 0 && status.st_uid == ::geteuid();
}

// Where the kernel shows this process's own group; empty without cgroup v2.
fs::path own_group() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("0::/")) continue;
    for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
      fs::path path = fs::path(root) / line.substr(4);
      if (::access((path / "cgroup.procs").c_str(), F_OK) == 0) return path;
    }
  }
  return {};
}

}  // namespace

Cgroup::Cgroup(fs::path path)
    : path_(std::move(path)), procs_(::open((path_ / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC)) {
  if (!procs_)
    throw base::Error(base::ErrorKind::failed,
                      "cannot open the control group " + path_.string() + ": " + std::strerror(errno));
}

Cgroup::Cgroup(Cgroup&& other) noexcept : path_(std::exchange(other.path_, {})), procs_(std::move(other.procs_)) {}

Cgroup::~Cgroup() {
  if (path_.empty()) return;
  kill();
  ::rmdir(path_.c_str());  // CgroupTree::sweep() does it when somebody takes his time to die
}

void Cgroup::kill() const {
  write_file(path_ / "cgroup.kill", "1");
}

std::uint64_t Cgroup::oom_kills() const {
  std::ifstream file(path_ / "memory.events");
  std::string name;
  std::uint64_t count = 0;
  while (file >> name >> count)
    if (name == "oom_kill") return count;
  return 0;
}

std::optional<CgroupTree> CgroupTree::take_delegated() {
  const fs::path root = own_group();
  if (root.empty() || !is_delegated(root)) return std::nullopt;
  const fs::path supervisor = root / "supervisor";
  if (::mkdir(supervisor.c_str(), 0755) != 0 && errno != EEXIST) return std::nullopt;
  if (!write_file(supervisor / "cgroup.procs", "0")) return std::nullopt;
  CgroupTree tree(root);
  // The daemon and its database get their share first, however many threads a plugin lets spin.
  write_file(supervisor / "cpu.weight", "1000");
  return tree;
}

CgroupTree::CgroupTree(fs::path root) : root_(std::move(root)) {
  for (const char* controller : {"memory", "pids", "cpu"})
    if (write_file(root_ / "cgroup.subtree_control", std::string("+") + controller))
      controllers_.emplace_back(controller);
}

bool CgroupTree::has(const std::string& controller) const {
  return std::find(controllers_.begin(), controllers_.end(), controller) != controllers_.end();
}

Cgroup CgroupTree::make(const std::string& name, const Limits& limits) {
  sweep();
  const fs::path path = root_ / (std::string(kPrefix) + std::to_string(++made_) + "-" + name);
  if (::mkdir(path.c_str(), 0755) != 0)
    throw base::Error(base::ErrorKind::failed,
                      "cannot make the control group " + path.string() + ": " + std::strerror(errno));
  Cgroup group(path);
  const auto limit = [&](const char* file, std::uint64_t value) {
    if (value > 0 && !write_file(path / file, std::to_string(value)))
      throw base::Error(base::ErrorKind::failed, "cannot set " + (path / file).string() + ": " + std::strerror(errno));
  };
  if (has("memory")) {
    limit("memory.max", limits.memory);
    write_file(path / "memory.swap.max", "0");   // no swap, no such file
    write_file(path / "memory.oom.group", "1");  // all or none of them
  }
  if (has("pids")) limit("pids.max", limits.tasks);
  return group;
}

void CgroupTree::sweep() const {
  std::error_code error;
  for (fs::directory_iterator entry(root_, error), end; !error && entry != end; entry.increment(error))
    if (entry->path().filename().string().starts_with(kPrefix)) ::rmdir(entry->path().c_str());  // none that is in use
}

}  // namespace godwit::process
