#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/heap_trim.hpp"
#include "engine/cluster.hpp"
#include "engine/crowds.hpp"
#include "engine/engine.hpp"
#include "engine/job_cache.hpp"
#include "engine/looks.hpp"
#include "engine/queues.hpp"
#include "engine/runner.hpp"
#include "engine/sleepers.hpp"

namespace godwit::engine {

// How runs come into memory: by a submit, from the inbox of the SQL function, or from the store, where an earlier life
// or a full house left them. Only so many are in memory at once; the others wait in the store: the plain ones in the
// order of their numbers, the others in the order of their turns (Queues).
class Intake {
 public:
  struct Parts {
    Store& store;
    StepRunner& steps;
    Clock& clock;
    Limits& limits;
    jobfile::Library& library;
    JobCache& jobs;
    Runner& runner;
    Sleepers& sleepers;
    Locks& locks;
    Queues& queues;
    Cluster* cluster = nullptr;                 // of the nodes that share the store
    std::map<std::string, std::string> labels;  // of this node
  };
  Intake(Parts parts, std::size_t active_max)
      : parts_(std::move(parts)), active_max_(active_max), crowds_(parts_.queues, active_max) {}

  void start(std::function<void()> ready);
  void stop() { stopped_ = true; }

  void submit(SubmitRequest request, Caller caller, Answer<SubmitReceipt> answer);
  void submit_many(SubmitRequest request, std::vector<base::json::object> params, Caller caller,
                   Answer<std::vector<model::RunId>> answer);
  // Takes a stored run into memory now, whatever the room: a person asked for it. `answer` comes when it is at work.
  void take_up(model::RunId run, Answer<Nothing> answer);
  // take_up() will follow: what comes for the run until then waits for it.
  void expect(model::RunId run) { entering_[run]; }
  // Keeps a run that is not here out of memory, and what comes for it waiting, until its end is stored
  // (ended_in_store()) or cannot be (take_up()).
  void withhold(const Submitted& run);
  // A run has ended; it was in memory, or only stored.
  void ended(const Submitted& run, const RunDone& done);
  void ended_in_store(const Submitted& run, const RunDone& done);
  // A run left memory: it only waits, perhaps for a lock.
  void rested(const Submitted& run, std::optional<base::Instant> wake_at, bool for_lock);
  // A resting run comes back when there is room.
  void wake(model::RunId run);
  // Gives the run once it is in memory, waking it if it rests; null when it is in the store for other reasons, or not
  // at all. What happens to a run while it is being loaded thus waits until it is there.
  void with_run(model::RunId run, std::function<void(ActiveRun*)> work);
  // Whether the run is in memory, rests with this node, or is on its way back.
  bool is_here(model::RunId run) const { return parts_.runner.find(run) || rests(run) || entering_.contains(run); }
  bool rests(model::RunId run) const { return parts_.sleepers.contains(run) || waking_.contains(run); }
  // Takes no new runs, and gives those that come away; or does again, once all that was given away is.
  void set_draining(bool draining);
  bool draining() const { return draining_; }
  // How many more runs memory has room for.
  std::size_t room() const { return active_max_ - std::min(active_max_, parts_.runner.runs().size() + entering_.size()); }
  // How many more runs could soon begin. What has no place among the steps in flight yet is better left in the store:
  // memory that nothing happens in makes what happens slow.
  std::size_t useful_room() const;
  // Brings runs from the store, if more can soon begin.
  void refill();
  // Runs that this node has taken over.
  void take_claimed(const std::vector<Claimed>& runs);
  // Looks again for all runs of this node that are not in memory.
  void look_again();
  // A run left memory for another node.
  void gave_away(const Submitted& run);
  // Gives a run that is not in memory away.
  void release(model::RunId run);
  // A signal that is stored.
  void deliver(model::RunId run, Signal signal);

  void prepare_child(const ActiveRun& parent, const StepTask& task, const std::string& job, Answer<ChildRun> answer);
  void prepare_next(const ActiveRun& run, const std::string& params, Answer<ChildRun> answer);
  // Lets a run that was just stored be at work if it may.
  void admit(Submitted submitted, const std::shared_ptr<const CompiledJob>& job);

  // Throws what submit() would answer for a job or parameters that cannot be accepted.
  void check(const SubmitRequest& request);
  // What the job needs and this node lacks, each with its place: plugins, limits, inputs that the plugins' schemas
  // refuse.
  std::vector<base::Error::Problem> problems(const CompiledJob& job) const;
  std::string pins(const CompiledJob& job) const;

  // How long what this node cannot submit waits for another that may; none when there is no other.
  std::optional<base::Duration> time_of_others() const;

  // How a stored run stands among those that wait to be at work.
  Rank rank(const Submitted& run) const { return crowds_.rank_of(run); }
  // Whether a queue is set, in use, or named by a job of the library.
  bool knows_queue(const std::string& name) const;
  // A queue may have places that it had not.
  void queues_changed() { let_in(); }
  // Whether the run had begun in another life, or on another node, or has waited for a lock, and waits for a place in
  // its queue to go on.
  bool waits_for_place(model::RunId run) const { return displaced_.contains(run); }

  std::uint64_t submitted() const { return submitted_; }
  bool backlog() const { return more_in_store_ || parts_.queues.waiting() > 0; }

 private:
  struct Accepted {
    std::shared_ptr<const CompiledJob> job;
    std::string pins;
  };
  Accepted accept(const SubmitRequest& request);
  // What the job and the submit say of this run; the parameters are checked and filled in.
  void describe(Submitted& submitted, const Accepted& accepted, base::json::object params,
                const SubmitRequest& request) const;
  static void check_stages(const CompiledJob& job, const SubmitRequest& request);
  static Result<SubmitReceipt> not_unique(const CompiledJob& job, const Verdict& verdict);
  void allocate(ChildRun child, Answer<ChildRun> answer);
  std::vector<base::Error::Problem> call_problems(const CompiledStage& stage) const;
  std::vector<base::Error::Problem> limit_problems(const CompiledJob& job, const CompiledStage& stage) const;
  // The limits by the word of the run's job, from here on for as long as it is in memory.
  void declare_limits(ActiveRun& run, const Limits::Words& words);
  Limits::Words words_on_limits(const model::Job& job) const;
  void begin_new(Submitted submitted, const std::shared_ptr<const CompiledJob>& job);
  std::vector<Fact> facts_of(const CompiledJob& job) const;
  bool belongs_here(const Submitted& run) const;
  void drain();
  void release_rest();
  void released();
  void go_on();
  void load_claimed(std::vector<model::RunId> active);
  void load_resting();
  void load_ranked(model::RunId after, std::function<void()> done);
  void wait_for_turn(Submitted run, const Rank& rank, const std::shared_ptr<const CompiledJob>& job);
  void wait_for_place(model::RunId run, const Rank& rank);
  bool has_room_for(const Queues::Next& next) const;
  void let_in();
  void load_turns(std::vector<Queues::Next> taken);
  void on_turns(const std::vector<Queues::Next>& taken, const Looks::Look& look,
                Result<std::vector<UnfinishedRun>> loaded);
  void entered(const Queues::Next& next, bool at_work);
  void arrived(model::RunId run);
  // `look`: the one that saw it.
  void bring(UnfinishedRun run, Looks::Look look, Answer<Nothing> answer);
  void wake_some();
  void on_woken(std::vector<model::RunId> wanted, const Looks::Look& look,
                Result<std::vector<UnfinishedRun>> loaded);
  void came_back(model::RunId run);
  void read_signals();
  void take_signal(SignalSent sent, std::function<void()> done);
  bool may_refill() const;
  void load_more();
  void on_loaded(Result<std::vector<UnfinishedRun>> loaded, const Looks::Look& look, std::function<void()> done);
  void put_to_work(std::shared_ptr<ActiveRun> run, UnfinishedRun stored, const Looks::Look& look,
                   Answer<Nothing> answer);
  void block_stored(const UnfinishedRun& run, const std::string& why);
  void watch_crowds();
  void set_aside(model::RunId id);
  void read_inbox();
  void take_from_inbox(InboxEntry entry, std::function<void()> done);
  void refuse_inbox(Submitted submitted, const std::string& why, std::function<void()> done);

  Parts parts_;
  Looks looks_;
  mutable std::unordered_set<std::string> checked_;  // versions of jobs whose calls fit the installed plugins
  std::size_t active_max_;
  Crowds crowds_;
  bool crowds_due_ = false;  // they are looked at soon
  model::RunId cursor_{};      // stored runs up to this number are in memory, ended, or somebody's who asked for them
  bool more_in_store_ = true;  // stored plain runs may wait beyond the cursor; before the start nobody knows
  base::Instant plain_since_;  // since when the first of them waits, or a bit less
  // What is not plain waits until all that waits is known; what is stored meanwhile.
  bool ranked_known_ = false;
  struct Early {
    Rank rank;
    base::Instant since;
  };
  std::map<model::RunId, Early> early_;
  // Runs that had begun, and wait for a place to go on: in queues whose places are shared by the nodes, which were lost
  // with a node or while they waited for a lock, and in crowds. They come before all that have not begun.
  std::unordered_set<model::RunId> displaced_;
  std::size_t loads_of_turns_ = 0;  // under way
  // Runs that are being loaded and do not rest, and what waits for them.
  std::unordered_map<model::RunId, std::vector<std::function<void(ActiveRun*)>>> entering_;
  bool refilling_ = false;
  bool refill_due_ = false;  // there is a little room, and soon it is looked whether it is wanted
  bool stored_meanwhile_ = false;  // a run was left to the next refill after the last one had begun to look
  bool reading_inbox_ = false;
  bool inbox_again_ = false;
  bool inbox_timer_ = false;
  std::deque<model::RunId> to_wake_;
  // Runs on their way back, to_wake_ included, and what waits for them.
  std::unordered_map<model::RunId, std::vector<std::function<void(ActiveRun*)>>> waking_;
  bool loading_woken_ = false;
  base::HeapTrim heap_;  // of runs that rest
  std::vector<std::function<void()>> after_refill_;
  bool reading_signals_ = false;
  bool signals_again_ = false;
  bool started_ = false;
  bool stopped_ = false;
  bool told_to_drain_ = false;
  bool draining_ = false;        // told to, or what it gave away is not yet given away
  std::size_t releases_ = 0;     // that have no answer yet
  bool look_again_due_ = false;  // once they have
  std::uint64_t submitted_ = 0;
};

}  // namespace godwit::engine
