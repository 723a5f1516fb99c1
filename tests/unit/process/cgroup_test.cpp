// Goal: a control group holds and ends whatever was started in it. Method: the real thing where this machine lets us,
// and a directory of plain files for what is written where.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "process/cgroup.hpp"
#include "process/child.hpp"
#include "support/temp_dir.hpp"

using namespace godwit;
using process::Cgroup;
using process::CgroupTree;
namespace fs = std::filesystem;

namespace {

// A group of our own below the root of cgroup v2; empty where that cannot be had.
fs::path own_root() {
  for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    const fs::path path = fs::path(root) / ("godwit-test-" + std::to_string(::getpid()));
    if (fs::exists(fs::path(root) / "cgroup.procs") && ::access(root, W_OK) == 0 && ::mkdir(path.c_str(), 0755) == 0)
      return path;
  }
  return {};
}

}  // namespace

TEST_CASE("whoever is in a control group ends with it, whatever session he made") {
  const fs::path root = own_root();
  if (root.empty()) {
    WARN("skipped: no control group of our own can be made here");
    SUCCEED();
    return;
  }
  {
    CgroupTree tree(root);
    Cgroup group = tree.make("escape", {});
    process::SpawnOptions options;
    options.program = "/bin/sh";
    options.arguments = {"-c", "setsid sleep 1000 & setsid sh -c 'sleep 1000 & sleep 1000' & exit 3"};
    options.environment = {"PATH=/usr/bin:/bin"};
    options.cgroup = group.procs_fd();
    CHECK(process::spawn(options).wait().code == 3);
    group.kill();
    std::string left = "?";
    for (int i = 0; i < 60'000 && !left.empty(); ++i) {
      std::ifstream procs(root / "host-1-escape" / "cgroup.procs");
      left.assign(std::istreambuf_iterator<char>(procs), {});
      ::usleep(1000);
    }
    CHECK(left.empty());
  }
  CgroupTree(root).make("sweeps", {});
  CHECK_FALSE(fs::exists(root / "host-1-escape"));
  ::rmdir((root / "host-1-sweeps").c_str());
  CHECK(::rmdir(root.c_str()) == 0);
}

TEST_CASE("a group that cannot be made says where and why") {
  const support::TempDir dir;
  CgroupTree tree((dir / "nowhere").string());
  CHECK_FALSE(tree.has("memory"));
  CHECK_THROWS_WITH(tree.make("x", {}), Catch::Contains("nowhere") && Catch::Contains("No such file"));
}

TEST_CASE("a process that nobody has given a group to divide stays where it is") {
  const auto own = [] {
    std::ifstream file("/proc/self/cgroup");
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  };
  const std::string before = own();
  const auto tree = CgroupTree::take_delegated();
  CHECK((own() == before) == !tree.has_value());
}

TEST_CASE("a kill for want of memory is read from the group, and only that") {
  const support::TempDir dir;
  std::ofstream(dir / "cgroup.procs");
  std::ofstream(dir / "cgroup.kill");
  std::ofstream(dir / "memory.events") << "low 0\nhigh 3\nmax 17\noom 4\noom_kill 2\noom_group_kill 1\n";
  {
    const Cgroup group(dir.path());
    CHECK(group.oom_kills() == 2);
    std::ofstream(dir / "memory.events") << "low 0\nhigh 3\nmax 17\noom 4\noom_kill 0\n";
    CHECK(group.oom_kills() == 0);
    fs::remove(dir / "memory.events");  // without the memory controller
    CHECK(group.oom_kills() == 0);
  }
  std::ifstream killed(dir / "cgroup.kill");
  CHECK(std::string(std::istreambuf_iterator<char>(killed), {}) == "1");
}
