#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "engine/clock.hpp"
#include "engine/store.hpp"
#include "store/batch.hpp"
#include "store/health.hpp"
#include "store/node_seat.hpp"
#include "store/uplink.hpp"

namespace godwit::store {

// The one way to the hot tables. While one batch is being committed new facts gather; the next batch takes them all, so
// that the size of the group commit follows the load by itself.
class Journal {
 public:
  // What append() brought, to be stored or not as a whole.
  struct Group {
    std::vector<engine::Fact> facts;
    std::function<void(engine::Verdict)> settled;  // empty for relaxed facts
    std::size_t size = 0;
  };
  struct Totals {
    std::uint64_t facts = 0, batches = 0, repeated = 0, refused = 0, relaxed_dropped = 0;
    std::size_t waiting = 0, waiting_bytes = 0;
  };

  Journal(engine::Clock& clock, Uplink& uplink, StopSignal& stop, Health& health);

  // From any thread.
  void append(std::vector<engine::Fact> facts, std::function<void(engine::Verdict)> settled);
  void append_relaxed(engine::Fact fact);
  Totals totals() const;
  // Ends run() once what waits is written; a database that is away ends it by the StopSignal only.
  void finish();

  // On the journal's thread: works until finish(), throws Stopped when the store stops before.
  void run(const NodeSeat& seat);
  // Called on the journal's thread after every so many submits and ends, with the runs that ended.
  void on_fold_due(std::function<void(std::vector<std::int64_t> ended)> hook) { fold_due_ = std::move(hook); }

 private:
  using Groups = std::span<Group*>;
  struct Settled {
    std::function<void(engine::Verdict)> callback;
    engine::Verdict verdict;
  };

  std::deque<Group> take();
  void gather(std::unique_lock<std::mutex>& lock);
  void write_all(std::deque<Group>& groups);
  void write(Groups groups);
  bool execute(StatementForm form);
  void split(Groups groups, const std::exception& error);
  bool settle_duplicates(Groups groups);
  std::map<const Group*, model::RunId> find_duplicates(Groups groups);
  pqxx::result look_up(const std::string& sql, const std::vector<ArrayColumn*>& columns);
  void settle(Group& group, engine::Verdict verdict);
  void settle_fenced(Groups groups);
  void note_committed();
  bool durable_wanted(Groups groups) const;

  engine::Clock& clock_;
  Uplink& uplink_;
  StopSignal& stop_;
  Health& health_;
  NodeSeat seat_;
  FactNumbers numbers_;
  Batch batch_;
  std::vector<Settled> settled_;
  bool fenced_ = false;
  std::function<void(std::vector<std::int64_t>)> fold_due_;
  std::vector<std::int64_t> ended_;
  std::size_t since_fold_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Group> queue_;
  std::deque<Group> relaxed_;
  base::Tick relaxed_since_{};
  std::size_t relaxed_bytes_ = 0;
  std::size_t last_groups_ = 0;
  bool finishing_ = false;
  bool sleeping_ = false;
  Totals totals_;
};

}  // namespace godwit::store
