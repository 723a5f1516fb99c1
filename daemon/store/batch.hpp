#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/store.hpp"
#include "store/array_column.hpp"
#include "store/tables.hpp"

namespace godwit::store {

// Numbers for the facts that have no name of their own (log lines, changes, audit) and for the order of commits. Unique
// among all lives of all nodes of a store, because the store gives each its own blocks of 2^30, and growing within a node
// and within a run, because who takes over runs begins a new block first.
class FactNumbers {
 public:
  // Never backwards: blocks do not arrive in the order in which they were taken.
  void start(std::int64_t block) { next_ = std::max(next_, block << 30); }
  std::int64_t next() { return ++next_; }
  // Whether it is time to ask for another block.
  bool running_out() const { return (next_ & ((std::int64_t{1} << 30) - 1)) > std::int64_t{1} << 29; }

 private:
  std::int64_t next_ = 0;
};

// Facts on their way into one statement: the columns of all rows to be written, as array parameters.
class Batch {
 public:
  explicit Batch(FactNumbers& numbers);

  void clear();
  // For each fact, before add() of any: what a loop folds away in the same batch is not written at all, for one
  // statement cannot delete what it inserts.
  void expect(const engine::Fact& fact);
  void add(const engine::Fact& fact);
  // What add() gathered but may hold only once; call it before columns().
  void finish();

  RowsMask mask() const { return mask_; }
  // In the order of the parameters of a statement for these kinds of rows, which are all that there are here or more.
  std::vector<ArrayColumn*> columns(RowsMask kinds);
  std::vector<ArrayColumn*> columns() { return columns(mask_); }
  // Runs that ended with this batch and runs that began, in the order of their numbers, for the folding of open runs.
  const std::vector<std::int64_t>& ended() const { return ended_; }
  const std::vector<std::int64_t>& submitted() const { return submitted_; }

 private:
  bool is_folded(model::RunId run, std::string_view path) const;
  template <typename... Values>
  void row(Rows rows, const Values&... values);
  void put(const engine::JobStored& fact);
  void put(const engine::Submitted& fact);
  void put(const engine::AttemptStarted& fact);
  void put(const engine::AttemptFailed& fact);
  void put(const engine::StepDone& fact);
  void put(const engine::CheckpointPut& fact);
  void put(const engine::WaitOpened& fact);
  void put(const engine::SignalSent& fact);
  void put(const engine::SignalTaken& fact);
  void put(const engine::RunRested& fact);
  void put(const engine::RunReleased& fact);
  void put(const engine::CursorMoved& fact);
  void put(const engine::LockReleased& fact);
  void put(const engine::RunChanged& fact);
  void put(const engine::RunDone& fact);
  void put(const engine::LimitSet& fact);
  void put(const engine::QueueSet& fact);
  void put(const engine::ScheduleSet& fact);
  void put(const engine::Fired& fact);
  void put(const engine::FireSkipped& fact);
  void put(const engine::Audited& fact);
  void put(const engine::ArtifactStored& fact);
  void put(const engine::ProgressNoted& fact);
  void put(const engine::Logged& fact);

  FactNumbers& numbers_;
  RowsMask mask_ = 0;
  std::vector<std::vector<ArrayColumn>> rows_;  // by Rows, then by column
  // One statement may replace a row only once, so the newest value of the batch is found first.
  std::map<std::tuple<model::RunId, std::string_view, std::string_view>, const engine::CheckpointPut*> checkpoints_;
  std::map<std::pair<model::RunId, std::string_view>, const engine::CursorMoved*> cursors_;
  std::map<model::RunId, engine::RunRested> rests_;
  std::map<model::RunId, const engine::ProgressNoted*> progress_;
  std::map<std::string_view, const engine::LimitSet*> limits_;
  std::map<std::string_view, const engine::QueueSet*> queues_;
  std::map<std::string_view, const engine::ScheduleSet*> schedules_;
  std::set<std::string_view> versions_;
  std::map<model::RunId, std::set<std::string_view>> folds_;
  std::vector<std::int64_t> ended_;
  std::vector<std::int64_t> submitted_;
};

// A rough measure of a fact in bytes, to bound batches and queues.
std::size_t size_of(const engine::Fact& fact);

// A failure as the store keeps it, and back. Empty text gives an empty failure.
std::string failure_text(const model::Failure& failure);
model::Failure parse_failure(std::string_view text);

}  // namespace godwit::store
