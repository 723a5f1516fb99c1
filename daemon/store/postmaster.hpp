#pragma once
#include <optional>
#include <string>

#include "base/time.hpp"
#include "base/unique_fd.hpp"
#include "process/child.hpp"
#include "store/cluster_files.hpp"

namespace godwit::store {

// What postmaster.pid of a data directory says.
struct PostmasterFile {
  pid_t pid = 0;
  std::string data;
  std::string socket_dir;
};
// Empty when the text is not such a file, or not a whole one.
std::optional<PostmasterFile> parse_postmaster_file(const std::string& text);

// The running server of a private cluster: our child, or one that a former life of the daemon left behind.
class Postmaster {
 public:
  // Takes over the server that runs on these files, if there is one.
  static std::optional<Postmaster> adopt(ClusterFiles& files);
  static Postmaster spawn(ClusterFiles& files);
  // Ends what a killed server left on these files. Such processes end by themselves once they notice, seconds later;
  // until then PostgreSQL refuses to start. Their data survives it.
  static void end_leftovers(const ClusterFiles& files);

  bool adopted() const { return !child_; }
  pid_t pid() const { return pid_; }
  // Readable once the server has ended.
  int pidfd() const { return child_ ? child_->pidfd() : pidfd_.get(); }
  // How it ended, in words; reaps it. Only after pidfd() has become readable.
  std::string end();
  // Ends it: fast, then immediately, then by force. Its data survives each.
  void stop();

 private:
  Postmaster(pid_t pid, base::UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  explicit Postmaster(process::Child child) : pid_(child.pid()), child_(std::move(child)) {}

  pid_t pid_;
  base::UniqueFd pidfd_;
  std::optional<process::Child> child_;
};

}  // namespace godwit::store
