#pragma once
#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/unique_fd.hpp"
#include "process/child.hpp"

namespace godwit::store {

// The user a private cluster runs as: our own, or an unprivileged one when we are root, which PostgreSQL refuses.
struct ClusterUser {
  uid_t user;
  gid_t group;
  std::string name;  // empty when the system knows no name for it
  std::optional<process::User> switch_to;
};
ClusterUser cluster_user();

// The files of a private cluster under the daemon's state directory. The settings lie outside the data directory and
// belong to the daemon; the operator's own go to postgres/local.conf.
class ClusterFiles {
 public:
  // `bin_dir` has PostgreSQL's programs; they are looked for when it is empty.
  ClusterFiles(const std::string& state_dir, std::string bin_dir);

  // Makes the cluster if there is none; one that was being made when we were killed is thrown away. Throws Error.
  void make();
  // Writes the settings anew for this life and makes the folder of the socket.
  void write_settings();
  // What the server is started with; its output goes to the log. Throws Error when this machine has no program for it.
  process::SpawnOptions server(int log);

  const std::filesystem::path& data() const { return data_; }
  const std::filesystem::path& socket_dir() const { return socket_dir_; }
  void use_socket_dir(std::filesystem::path folder) { socket_dir_ = std::move(folder); }

  base::UniqueFd open_log() const;
  // Keeps the log from growing without end; the newest part stays in a second file.
  void bound_log() const;
  // The last lines of the log on one line, for error messages.
  std::string log_tail() const;

 private:
  const std::filesystem::path& binaries();
  void run_initdb(const std::filesystem::path& data);
  void choose_socket_dir();

  std::filesystem::path root_, home_, data_, socket_dir_;
  std::string bin_dir_;
  std::filesystem::path binaries_;  // once they were needed
  ClusterUser user_;
};

}  // namespace godwit::store
