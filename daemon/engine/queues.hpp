#pragma once
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "engine/quota.hpp"
#include "engine/rank.hpp"
#include "model/queue.hpp"
#include "model/run.hpp"

namespace godwit::engine {

// The named queues: which runs have a place in them, and whose turn it is among the stored runs that wait for one, or
// that are more or less urgent than others. A run has its places from its start to its end. What waits is not in
// memory but for its number, so that a million may.
class Queues {
 public:
  struct Pause {
    std::string who;
    base::Instant at;
  };

  void set(const std::string& name, const model::QueueSpec& spec);
  // Lets nothing more of the queue begin, or lets it go on.
  void pause(const std::string& name, std::optional<Pause> pause);
  // Just these are paused.
  void set_pauses(const std::map<std::string, Pause>& pauses);
  bool paused(const std::string& name) const;
  // Forgets it; its runs wait for nothing any more.
  void remove(const std::string& name);
  // Whether it has a place and nobody waits for one.
  bool is_idle(const std::string& name) const;
  // Whether anything is known of it: a setting, a pause, a run.
  bool known(const std::string& name) const { return queues_.contains(name); }

  // A stored run waits. Its turn is the time it waits since, and its priority.
  void add(model::RunId run, const Rank& rank, base::Instant since);
  struct Next {
    model::RunId run{};
    Rank rank;
    base::Instant turn;
  };
  // Whose turn it is among those for whom all their queues have a place.
  std::optional<Next> next() const;
  // next() is taken: it waits no more and has its places.
  void take();

  // The run is at work and has its places, whether they were free or not.
  void enter(model::RunId run, const Rank& rank);
  void leave(model::RunId run, const Rank& rank);
  // The run waits no more: it was cancelled, or somebody wanted it at work at once.
  void forget(model::RunId run, const Rank& rank);
  // All others wait no more and have no places: they are given away.
  void keep(const std::set<model::RunId>& kept);

  // Several nodes may share a queue that is bounded over all of them (concurrency_total): as with Limits, from
  // share_out() on this node lets in only as many as set_quota() has said last, until take_whole(). `short_of` is called
  // when a run has to wait for want of quota.
  void share_out();
  void share_none();
  void take_whole();
  void set_quota(const std::string& name, const QuotaGrant& grant);
  // What this node has and would like to have of each such queue, when memory has room for so many more runs.
  std::vector<QuotaAsk> quota_asks(std::size_t room);
  std::function<void()> short_of;
  // Whether a run of this rank needs a place that nodes share. It cannot bring that place along from another life.
  bool divided(const Rank& rank) const;
  // Whether the run needs such a place and has none.
  bool lacks_place(model::RunId run, const Rank& rank) const;

  std::size_t waiting() const { return waiting_; }
  std::size_t waiting(const std::string& name) const;
  // [{"queue", "concurrency", "concurrency_total", "quota", "running", "waiting", "paused", "paused_by",
  //   "paused_since", "runs": at most 20 that have a place}]; no bound is null. `quota` is what this node has of the
  // total while nodes share it.
  base::json::array view() const;
  // What keeps a run of this rank from its turn, as reasons of `why`.
  base::json::array reasons(const Rank& rank) const;

 private:
  struct Queue {
    model::QueueSpec spec;
    bool configured = false;
    std::optional<Pause> paused;
    std::set<model::RunId> runs;  // that have a place
    std::set<const Rank*> lanes;  // keys of lanes_ whose runs wait for it
    std::size_t waiting = 0;
    std::optional<QuotaGrant> quota;  // of the total, while the nodes share it

    // How many runs may be at work here; `most_of_total` as far as the total allows.
    std::size_t most_here() const;
    std::size_t most_of_total() const;
    bool has_place() const { return !paused && runs.size() < std::min(most_here(), most_of_total()); }
  };
  struct Waiting {
    model::RunId run{};
    base::Instant since;
  };
  using Turn = std::pair<base::Instant, model::RunId>;
  // The runs of one rank that wait, in their order.
  struct Lane {
    std::deque<Waiting> waiting;
    std::optional<Turn> turn;  // of the first, while all queues have a place
  };

  Queue& queue(const std::string& name);
  static int total_of_new(const std::string& name);
  int total_of(const std::string& name) const;
  bool has_places(const Rank& rank, std::string_view but = {}) const;
  QuotaAsk quota_ask(const std::string& name, const Queue& queue, std::size_t room) const;
  void note_shortage(const Rank& rank) const;
  std::string full_text(const std::string& name, const Queue& queue) const;
  void refresh(const Rank& rank);
  void refresh_lanes_of(const std::string& name);
  void removed(const Rank& rank, Lane& lane);
  void drop_idle(const std::string& name);

  std::map<std::string, Queue> queues_;
  std::map<Rank, Lane> lanes_;
  std::map<Turn, const Rank*> ready_;
  std::size_t waiting_ = 0;
  bool shared_ = false;
};

// The queue of one place, on all nodes together, in which the runs of a schedule wait for each other.
std::string queue_of_schedule(const std::string& schedule);
// The queue that a job has while its runs crowd memory (Crowds).
std::string queue_of_job(const std::string& job);

}  // namespace godwit::engine
