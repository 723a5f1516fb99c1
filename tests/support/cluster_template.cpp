#include "support/cluster_template.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "base/unique_fd.hpp"
#include "process/child.hpp"
#include "store/cluster_files.hpp"
#include "store/postgres_binaries.hpp"
#include "support/temp_dir.hpp"

namespace godwit::support {

namespace fs = std::filesystem;

namespace {

// With owners and modes: the cluster belongs to another user when we are root.
void copy_folder(const fs::path& from, const fs::path& to) {
  const auto exit = process::spawn({.program = "/bin/cp",
                                    .arguments = {"-a", "--reflink=auto", from.string(), to.string()},
                                    .environment = {"PATH=/usr/bin:/bin"}})
                        .wait();
  if (!exit.clean()) throw std::runtime_error("cp " + from.string() + " " + to.string() + " ended with " + exit.text());
}

// One for each user and each version of the server. Made in a folder that everybody can pass through, which the build
// folder need not be.
fs::path cluster_template() {
  const auto binaries = store::find_postgres_binaries({});
  std::string name = "cluster" + binaries.string() + "-" + std::to_string(::geteuid());
  std::replace(name.begin(), name.end(), '/', '-');
  const fs::path home = fs::path(GODWIT_BINARY_DIR) / "tests" / name;
  const base::UniqueFd lock(::open((home.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0) throw std::runtime_error(home.string() + ".lock cannot be locked");
  if (fs::exists(home)) return home;
  const fs::path fresh = home.string() + ".new";
  fs::remove_all(fresh);
  const TempDir dir;
  store::ClusterFiles(dir.path(), {}).make();
  copy_folder(dir / "postgres", fresh);
  fs::rename(fresh, home);
  return home;
}

}  // namespace

void lay_cluster(const fs::path& state_dir) {
  static const fs::path home = cluster_template();
  fs::create_directories(state_dir);
  copy_folder(home, state_dir / "postgres");
}

}  // namespace godwit::support
