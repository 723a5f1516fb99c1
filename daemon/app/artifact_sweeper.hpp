#pragma once
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <string>
#include <vector>

#include "artifact/files.hpp"
#include "engine/clock.hpp"
#include "engine/history.hpp"

namespace godwit::app {

// Removes the files of artifacts that no run has made any more, because the runs were deleted when their time was over or
// the daemon died between storing a file and recording it. A file is left alone for a day after somebody stored it, so
// that its record has the time to come. Used on the loop's thread; the disk is walked on another one.
class ArtifactSweeper {
 public:
  struct Timing {
    base::Duration idle = std::chrono::hours(24);
    base::Duration every = std::chrono::hours(1);
  };
  // All three must outlive it.
  ArtifactSweeper(const artifact::Files& files, engine::History& history, engine::Clock& clock, Timing timing);
  ~ArtifactSweeper();

  // Sweeps now and then again and again. `store` names the database that knows the files: those of another one are left
  // alone.
  void start(std::string store);

 private:
  void sweep();
  void ask(std::vector<std::string> idle);
  void remove(std::vector<std::string> unknown);
  void again();
  // Calls `then` on the loop's thread with what `work` gives on the other one; an error of `work` ends this sweep.
  template <typename Work, typename Then>
  void in_background(Work work, Then then);

  const artifact::Files& files_;
  engine::History& history_;
  engine::Clock& clock_;
  const Timing timing_;
  std::string store_;
  std::vector<std::string> left_;  // of this sweep, not asked for yet
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  boost::asio::thread_pool background_{1};
};

}  // namespace godwit::app
