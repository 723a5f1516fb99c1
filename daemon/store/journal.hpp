#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/clock.hpp"
#include "engine/store.hpp"
#include "store/batch.hpp"
#include "store/express_lane.hpp"
#include "store/health.hpp"
#include "store/node_seat.hpp"
#include "store/relaxed_queue.hpp"
#include "store/unfolded_runs.hpp"
#include "store/uplink.hpp"

namespace godwit::store {

// The one way to the hot tables. While one batch is being committed new facts gather; the next batch takes them all, so
// that the size of the group commit follows the load by itself. There is one writer at a time: the journal's thread,
// or, for a small batch that comes while that thread has nothing to do, the engine's own by the express lane.
class Journal {
 public:
  // What append() brought, to be stored or not as a whole.
  struct Group {
    std::vector<engine::Fact> facts;
    std::function<void(engine::Verdict)> settled;  // empty for relaxed facts
    std::size_t size = 0;
  };
  struct Totals {
    std::uint64_t facts = 0, batches = 0, express = 0, repeated = 0, refused = 0, relaxed_dropped = 0;
    std::size_t waiting = 0, waiting_bytes = 0;
  };

  // What it commits and nobody has folded yet it notes in `unfolded`.
  Journal(engine::Clock& clock, Uplink& uplink, StopSignal& stop, Health& health, UnfoldedRuns& unfolded);

  // Lets small batches leave on the engine's thread, whose sockets `watch` knows. Before run().
  void use_express_lane(SocketWatch& watch);

  // From the engine's thread.
  void append(std::vector<engine::Fact> facts, std::function<void(engine::Verdict)> settled);
  void append_relaxed(engine::Fact fact);
  // What is appended from now on is numbered from a new block. From any thread.
  void renumber(std::int64_t block);
  Totals totals() const;
  // Ends run() once what waits is written; a database that is away ends it by the StopSignal only.
  void finish();

  // On the journal's thread: works until finish(), throws Stopped when the store stops before.
  void run(const NodeSeat& seat);
  // Called once much of the block of numbers is used up.
  void on_numbers_low(std::function<void()> hook) { numbers_low_ = std::move(hook); }
  // Called after every so many ends with the runs that ended, and with `whole` when very many are open. On the thread that
  // writes.
  using FoldDue = std::function<void(std::vector<std::int64_t> ended, bool whole)>;
  void on_fold_due(FoldDue hook) { fold_due_ = std::move(hook); }

 private:
  using Groups = std::span<Group*>;
  // The facts go back with it: what the engine's thread has allocated it frees itself, so that the two threads do not
  // wait for each other's use of the heap.
  struct Settled {
    std::function<void(engine::Verdict)> callback;
    engine::Verdict verdict;
    std::vector<engine::Fact> facts;
  };

  std::deque<Group> take();
  bool relaxed_are_due() const;  // under mutex_
  bool parked_are_due() const;   // under mutex_
  std::optional<base::Tick> next_due() const;                                         // under mutex_
  void take_relaxed(std::deque<Group>& batch, std::size_t facts, std::size_t bytes);  // under mutex_
  void gather(std::unique_lock<std::mutex>& lock);
  void write_all(std::deque<Group>& groups);
  void write(Groups groups);
  void fill(Groups groups);
  bool execute(StatementForm form);
  void split(Groups groups, const std::exception& error);
  static bool brings_key(const Group& group);
  bool park(Groups groups);
  bool settle_duplicates(Groups groups);
  std::map<const Group*, engine::Verdict> find_duplicates(Groups groups);
  std::map<const Group*, engine::Verdict> find_taken_fires(Groups groups);
  pqxx::result look_up(const std::string& sql, const std::vector<ArrayColumn*>& columns);
  void settle(Group& group, engine::Verdict verdict);
  void settle_fenced(Groups groups);
  void note_committed();
  void fold_if_due();
  bool durable_wanted(Groups groups) const;

  void express();
  void send_express();
  void on_express(bool committed);
  void settle_express();
  void give_back_express();
  void open_express_lane();
  bool lane_is_open();
  bool lane_in_doubt() const;
  void end_lane_session();

  engine::Clock& clock_;
  Uplink& uplink_;
  StopSignal& stop_;
  Health& health_;
  NodeSeat seat_;
  FactNumbers numbers_;
  Batch batch_;
  std::vector<Settled> settled_;
  bool fenced_ = false;
  UnfoldedRuns& unfolded_;
  FoldDue fold_due_;
  std::function<void()> numbers_low_;
  bool low_told_ = false;
  std::vector<std::int64_t> ended_;
  std::size_t left_open_ = 0;  // runs submitted since the last whole fold, less those that ended

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Group> queue_;
  RelaxedQueue relaxed_;
  std::size_t last_groups_ = 0;
  std::deque<Group> parked_;              // journal's thread: they bring keys that others hold
  std::optional<base::Tick> parked_due_;  // when they are tried again
  bool finishing_ = false;
  bool sleeping_ = false;
  Totals totals_;
  std::optional<std::int64_t> new_block_;

  // The writer's tools above (batch_, numbers_, settled_, ended_, left_open_) belong to the engine's thread while a
  // batch is on the express lane, else to the journal's.
  std::unique_ptr<ExpressLane> lane_;                     // engine thread
  std::deque<Group> on_lane_;                             // engine thread
  bool express_due_ = false;                              // engine thread: express() will be called
  bool lane_busy_ = false;                                // under mutex_
  std::unique_ptr<AsyncSession> lane_session_;            // under mutex_: made by the journal's thread, not yet adopted
  std::deque<Group> returned_;                            // under mutex_: of a batch that the lane could not settle
  bool lane_wanted_ = true;                               // under mutex_: the lane has no session
  int lost_backend_ = 0;                                  // under mutex_: of a session that was lost with a batch on it
  bool resuming_ = false;                                 // journal's thread: what is in batch_ came from the lane
  base::Tick lane_tried_{};                               // journal's thread
  std::shared_ptr<int> alive_ = std::make_shared<int>();  // for work that was posted
};

}  // namespace godwit::store
