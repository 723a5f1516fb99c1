#pragma once
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/active_run.hpp"
#include "engine/queues.hpp"

namespace godwit::engine {

// The jobs of which so many runs wait for limits or for a provider that they fill memory, and would keep all others
// from beginning. While that lasts, the runs of such a job that are plain (see Rank) have a queue of its own, "job:NAME":
// some of them are in memory, the others wait in the store.
class Crowds {
 public:
  using Runs = std::unordered_map<model::RunId, std::shared_ptr<ActiveRun>>;
  // `active_max`: of runs in memory.
  Crowds(Queues& queues, std::size_t active_max);

  // How the run stands among those that wait to be at work, now.
  Rank rank_of(const Submitted& run) const;
  bool contains(const Submitted& run) const;
  bool is_worth_a_look(std::size_t in_memory) const { return !jobs_.empty() || in_memory > active_max_ / 2; }
  // Looks who crowds memory, and who does no more. Gives the runs that are better left in the store: who has begun and
  // who is old stays, since he comes first at the limits.
  std::vector<model::RunId> look(const Runs& runs);
  // Whether as many wait as it keeps in mind: what comes behind them in the store is looked at later.
  bool is_full() const;
  // Those that wait are to be found in the store again.
  void clear();

 private:
  void end_the_small();
  std::vector<model::RunId> crowd(const std::string& job, std::vector<const ActiveRun*> held, const Runs& runs);

  Queues& queues_;
  const std::size_t active_max_;
  const std::size_t kept_;  // in memory, of each such job
  std::set<std::string> jobs_;
};

}  // namespace godwit::engine
