#pragma once
#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <set>

#include "engine/clock.hpp"
#include "engine/cluster.hpp"
#include "engine/store.hpp"

namespace godwit::lab {

// What a store remembers, apart from the store: it outlives the lives of an engine in a lab or a test.
struct Memory {
  struct Run {
    engine::Submitted submitted;
    std::map<std::string, engine::StepDone> steps;
    std::vector<std::string> step_order;
    std::map<std::string, engine::UnfinishedRun::Attempts> attempts;
    std::vector<engine::RunChanged> changes;
    std::map<std::string, engine::WaitOpened> waits;
    std::map<std::int64_t, engine::Signal> signals;
    std::map<std::string, std::string> cursors;
    std::optional<engine::RunRested> rested;
    std::string progress;  // the last that was noted
    std::optional<engine::RunDone> done;
    int owner = 1;  // the node that has it; 0 for none
    int ends = 0;  // how often an end was written; more than one is a fault
  };
  std::map<model::RunId, Run> runs;
  std::map<std::string, engine::JobStored> jobs;
  std::map<std::tuple<model::RunId, std::string, std::string>, std::string> checkpoints;
  std::map<std::pair<std::string, std::string>, model::RunId> keys;
  std::map<std::string, engine::LimitSet> limits;
  std::vector<engine::Audited> audit;
  std::vector<engine::ArtifactStored> artifacts;
  std::vector<engine::Emitted> emitted;
  std::map<std::string, engine::QueueSet> queues;
  std::map<std::string, engine::ScheduleSet> schedules;
  std::map<std::pair<std::string, base::Instant>, model::RunId> fires;
  std::map<std::pair<std::string, base::Instant>, std::string> fires_skipped;
  std::vector<engine::LockRow> locks;  // in the order of arrival
  std::deque<engine::InboxEntry> inbox;
  std::deque<engine::SignalSent> signal_inbox;
  std::map<std::string, int> executed;  // statements of steps, by their text
  // Of several nodes: who may write as which, and what they have to tell each other.
  std::map<int, std::int64_t> epochs;
  bool checks_epochs = true;
  std::map<std::int64_t, engine::Mail> mail;
  std::int64_t last_run = 0;

  // When a run that rests is to wake: at once if its child has ended, it is to be cancelled, or it has the lock or the
  // turn that it rests for, which may have been the last thing that its node did.
  std::optional<base::Instant> wake_at(const Run& run, base::Instant now) const;
  // Whether the run rests until it can have a lock.
  bool rests_for_lock(const Run& run) const {
    return run.rested && std::any_of(locks.begin(), locks.end(), [&](const engine::LockRow& row) {
             return row.run == run.submitted.run && !row.granted;
           });
  }
  std::size_t groups = 0;           // that were appended and settled
  std::vector<std::string> faults;  // what must never happen and did
};

// A store in memory that settles appends when the clock runs its posted work, in order, as the journal does. A crash
// may lose the answer of what was committed and the facts of what was not.
class MemoryStore : public engine::Store {
 public:
  // `epoch`: of the node's life; a store whose epoch is not the memory's writes nothing more. 0 of a node that is alone.
  MemoryStore(Memory& memory, engine::Clock& clock, int node = 1, std::int64_t epoch = 0)
      : memory_(memory), clock_(clock), node_(node), epoch_(epoch) {}

  void append(std::vector<engine::Fact> facts, std::function<void(engine::Verdict)> settled) override;
  void append_relaxed(engine::Fact fact) override;
  void allocate_runs(std::size_t count, engine::Answer<std::vector<model::RunId>> answer) override;
  void load_unfinished(model::RunId after, std::size_t limit,
                       engine::Answer<std::vector<engine::UnfinishedRun>> answer) override;
  void load_ranked(model::RunId after, std::size_t limit, engine::Answer<std::vector<engine::RankedRun>> answer) override;
  void load_run(model::RunId run, engine::Answer<engine::UnfinishedRun> answer) override;
  void load_runs(std::vector<model::RunId> runs, engine::Answer<std::vector<engine::UnfinishedRun>> answer) override;
  void load_resting(engine::Answer<std::vector<engine::Resting>> answer) override;
  void execute(engine::SqlStep step, engine::Answer<engine::SqlDone> answer) override;
  void read_outputs(model::RunId run, std::vector<std::string> paths,
                    engine::Answer<std::map<std::string, std::string>> answer) override;
  void read_checkpoint(model::RunId run, std::string path, std::string key,
                       engine::Answer<std::optional<std::string>> answer) override;
  void load_job(std::string version, engine::Answer<engine::JobStored> answer) override;
  void load_limits(engine::Answer<std::vector<engine::LimitSet>> answer) override;
  void load_queues(engine::Answer<std::vector<engine::QueueSet>> answer) override;
  void load_schedules(engine::Answer<std::vector<engine::StoredSchedule>> answer) override;
  void open_fires(std::string schedule, base::Instant instant, engine::Answer<engine::OpenFires> answer) override;
  void take_lock(engine::LockRow wanted, engine::Answer<std::vector<engine::LockRow>> answer) override;
  void grantable_locks(std::vector<std::string> names, engine::Answer<std::vector<model::RunId>> answer) override;
  void read_locks(std::string name, engine::Answer<std::vector<engine::LockRow>> answer) override;
  void read_inbox(std::size_t limit, engine::Answer<std::vector<engine::InboxEntry>> answer) override;
  void read_signals(std::size_t limit, engine::Answer<std::vector<engine::SignalSent>> answer) override;
  void watch_inbox(std::function<void()> arrived) override {
    arrived_ = std::move(arrived);
    clock_.post(arrived_);
  }
  // Somebody wrote to an inbox.
  void notify() { clock_.post(arrived_); }
  base::json::object status() const override { return {{"state", away_ ? "down" : "up"}}; }
  std::string store_id() const override { return "test"; }

  // While away nothing is settled; what was appended is kept and settled on the return.
  void set_away(bool away);
  // The process dies: each group that has not been settled is committed or lost by the toss of a coin, but never out of
  // order.
  void crash(std::mt19937_64& random);
  // The process dies at the group of that number (from 1), before its commit or after it: nothing more is stored or
  // answered.
  struct Death {
    std::size_t group = 0;
    bool after_commit = false;
  };
  std::optional<Death> death;
  bool dead() const { return dead_; }
  // Outputs longer than this are omitted by the loads.
  std::size_t output_max = 64 * 1024;
  // How many pieces of posted work run between a look at runs and its answer.
  std::size_t load_hops = 0;
  // For tests: a group that holds this text in an output is refused.
  std::string refused_text;
  // For tests: a group with the end of a run is refused.
  bool refused_end = false;
  // For tests: so many of the next looks at a schedule's runs are refused.
  int refused_looks = 0;
  // What a statement of a step gives; an Error refuses it.
  std::function<std::string(const engine::SqlStep&)> statements;

 private:
  struct Group {
    std::vector<engine::Fact> facts;
    std::function<void(engine::Verdict)> settled;
  };
  bool is_fenced() const;
  engine::Verdict commit(const std::vector<engine::Fact>& facts);
  void settle();
  void answer_after(std::size_t hops, std::function<void()> answer);
  bool dies_before_commit();
  engine::UnfinishedRun view(const Memory::Run& run) const;

  Memory& memory_;
  engine::Clock& clock_;
  int node_;
  std::int64_t epoch_;
  std::function<void()> arrived_;
  std::deque<Group> pending_;
  bool settling_ = false;
  bool away_ = false;
  bool dead_ = false;
};

}  // namespace godwit::lab
