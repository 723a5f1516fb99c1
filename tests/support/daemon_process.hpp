#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "process/child.hpp"
#include "support/temp_dir.hpp"

namespace godwit::support {

struct DaemonOptions {
  std::string settings;  // more lines of godwit.yaml
  std::vector<std::string> job_dirs;
  std::vector<std::string> plugin_dirs;  // default: the product's and the tests' own
  std::string database_url;              // default: a private cluster
  std::vector<std::string> environment;  // beside the plain one: NAME=VALUE
};

struct CommandResult {
  int exit_code = -1;
  std::string out;
  std::string err;
};

// Runs a program to its end; `input` goes to its standard input.
CommandResult run_command(const std::string& program, std::vector<std::string> arguments,
                          std::vector<std::string> environment = {});

// The real godwitd in a folder of its own, with its database and its plugins' processes. Destruction ends them all.
class DaemonProcess {
 public:
  explicit DaemonProcess(DaemonOptions options = {});
  ~DaemonProcess();
  DaemonProcess(const DaemonProcess&) = delete;

  // Starts it and waits until it has taken up its runs; throws with its log when it does not come.
  void start();
  // The same without waiting.
  void launch();
  void wait_ready();
  void kill();           // SIGKILL, and waits for the process to be gone
  process::Exit stop();  // SIGTERM, and waits for the orderly end
  void signal(int number);
  bool running();
  pid_t pid() const { return child_->pid(); }

  CommandResult cli(std::vector<std::string> arguments);
  // One call on the control socket; throws base::Error with the daemon's words. Tries again for a while when there is
  // no daemon.
  base::json::value call(const std::string& method, base::json::object params = {});
  // Waits for the run's end and gives {"state","result","error"}.
  base::json::object wait_for_end(std::int64_t run, base::Duration patience = std::chrono::seconds(60));

  // The process number of the private cluster's server, 0 when there is none.
  pid_t postmaster() const;
  // The pids of this daemon's plugin processes that serve `plugin` (all when empty).
  std::vector<pid_t> hosts(const std::string& plugin = {});
  // Reads one column of a query in the daemon's database.
  std::vector<std::string> query(const std::string& sql);
  std::string log() const;

  std::string socket() const { return (dir_ / "control.sock").string(); }
  const TempDir& dir() const { return dir_; }

 private:
  std::string conninfo() const;

  TempDir dir_;
  DaemonOptions options_;
  std::optional<process::Child> child_;
};

}  // namespace godwit::support
