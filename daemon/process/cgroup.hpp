#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace godwit::process {

// A control group (cgroup v2) made for one process and all it starts. Destruction kills whoever is still in it and
// removes it.
class Cgroup {
 public:
  explicit Cgroup(std::filesystem::path path);
  Cgroup(Cgroup&& other) noexcept;
  Cgroup& operator=(Cgroup&&) = delete;
  ~Cgroup();

  // For SpawnOptions::cgroup.
  int procs_fd() const { return procs_.get(); }
  void kill() const;
  // How many of its processes the kernel has killed because their memory was used up.
  std::uint64_t oom_kills() const;

 private:
  std::filesystem::path path_;
  base::UniqueFd procs_;
};

// The control group that this process may divide: that of its systemd unit with Delegate=yes.
class CgroupTree {
 public:
  // What one child group may use; zero means no limit.
  struct Limits {
    std::uint64_t memory = 0;  // bytes, of all its processes
    std::uint64_t tasks = 0;   // processes and threads
  };

  // Moves this process into a child group "supervisor", which the kernel demands, and takes the controllers there are.
  // Empty when nobody has given this process its group to divide.
  static std::optional<CgroupTree> take_delegated();
  // A tree at a directory of the caller's own; this process stays where it is.
  explicit CgroupTree(std::filesystem::path root);

  // Throws base::Error(failed). `name` is made unique.
  Cgroup make(const std::string& name, const Limits& limits);
  // "memory", "pids" or "cpu".
  bool has(const std::string& controller) const;

 private:
  // Removes groups whose last process had not ended when they were done with.
  void sweep() const;

  std::filesystem::path root_;
  std::vector<std::string> controllers_;
  std::uint64_t made_ = 0;
};

}  // namespace godwit::process
