#pragma once
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "support/daemon_process.hpp"
#include "support/lives.hpp"
#include "support/temp_dir.hpp"

namespace godwit::support {

// A home folder in which this build is installed below .local, and a shell in it: what somebody has who has never seen
// this repository. `godwitd` there is the installed one, kept out of the system's folders.
class Installation {
 public:
  Installation() {
    namespace fs = std::filesystem;
    fs::create_directories(dir_ / "build");
    fs::create_directory_symlink(GODWIT_BINARY_DIR, dir_ / "build" / "release");
    fs::create_directories(dir_ / "bin");
    std::ofstream(dir_ / "bin" / "godwitd")
        << "#!/bin/sh\necho $$ > " << (dir_ / "pid").string() << "\nexec " << prefix() << "/sbin/godwitd --state-dir "
        << (dir_ / "state").string() << " --socket " << (dir_ / "s").string() << " \"$@\" > "
        << (dir_ / "daemon.log").string() << " 2>&1\n";
    fs::permissions(dir_ / "bin" / "godwitd", fs::perms(0755));
  }
  ~Installation() { stop_daemon(); }

  std::string prefix() const { return (dir_ / ".local").string(); }
  std::string path(const std::string& name) const { return (dir_ / name).string(); }
  CommandResult install() { return sh("cmake --install build/release --prefix ~/.local"); }

  // One command in the home folder, with both outputs in `out`.
  CommandResult sh(const std::string& command) {
    const std::string home = dir_.path().string();
    CommandResult result = run_command(
        "/bin/sh", {"-c", "cd " + home + " && { " + command + "\n} 2>&1"},
        {"HOME=" + home,
         "PATH=" + home + "/bin:" + prefix() + "/bin:" + prefix() + "/sbin:" + "/usr/local/bin:/usr/bin:/bin",
         "GODWIT_SOCKET=" + (dir_ / "s").string()});
    return result;
  }
  std::string daemon_log() const {
    std::ifstream file(dir_ / "daemon.log");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void stop_daemon() {
    pid_t pid = 0;
    std::ifstream(dir_ / "pid") >> pid;
    std::filesystem::remove(dir_ / "pid");
    if (pid <= 0 || ::kill(pid, SIGTERM) != 0) return;
    for (int i = 0; i < 600 && lives(pid); ++i) ::usleep(50'000);
  }

 private:
  TempDir dir_;
};

}  // namespace godwit::support
