#pragma once
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/json.hpp"
#include "base/unique_fd.hpp"
#include "store/cluster_files.hpp"
#include "store/postmaster.hpp"

namespace godwit::store {

// A PostgreSQL of the daemon's own: made at the first start, reached by a Unix socket only, started again whenever it
// dies, stopped with the daemon. One that outlived a killed daemon is taken over as it runs.
class PrivateCluster {
 public:
  // `bin_dir`: where PostgreSQL's programs are; empty: looked for.
  PrivateCluster(const std::string& state_dir, const std::string& bin_dir);
  ~PrivateCluster();
  PrivateCluster(const PrivateCluster&) = delete;
  PrivateCluster& operator=(const PrivateCluster&) = delete;

  // Throws Error. The server may need a moment after this until it can be connected to.
  void start();
  void stop();

  // For libpq; `database` is "godwit" unless it is not made yet.
  std::string url(const std::string& database = "godwit") const;
  // {"pid","adopted","restarts","last_end"}
  base::json::object status() const;
  pid_t pid() const;

 private:
  void launch();
  void supervise();
  bool wait_for_end();

  std::string state_dir_, bin_dir_;
  std::optional<ClusterFiles> files_;
  mutable std::mutex mutex_;
  std::optional<Postmaster> server_;
  base::UniqueFd wake_;
  int restarts_ = 0;
  std::string last_end_;
  std::thread thread_;
};

}  // namespace godwit::store
