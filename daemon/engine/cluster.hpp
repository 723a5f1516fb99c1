#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "engine/answer.hpp"
#include "engine/quota.hpp"
#include "engine/store.hpp"

namespace godwit::engine {

// Whether this node may act. Asked before each step that touches the world, so that a node which was cut off, or slept,
// does nothing more by the time others may take its runs. From any thread.
class Lease {
 public:
  virtual ~Lease() = default;
  virtual bool held() const = 0;
  // How long it will be without a renewal; not positive when it is not held.
  virtual base::Duration left() const = 0;
};

// What a node learns when it renews its lease.
struct Beat {
  std::size_t others = 0;  // nodes that are not gone
  bool draining = false;   // somebody wants this node to begin nothing
  bool orphans = false;    // there are runs that belong to nobody, or to a node that is gone
};

// A run that this node has taken over; `options` only of one that is ranked.
struct Claimed : RankedRun {
  std::optional<base::Instant> wake_at = {};
};

// Whose a run is. `ended`: nobody's any more, or there never was such a run.
struct Owner {
  enum Kind { mine, other, nobody, ended } kind = ended;
  std::string node;  // of `other`
};

// Something that was sent to the owner of a run. Without a body: look at the run anew.
struct Mail {
  std::int64_t number = 0;
  model::RunId run{};
  std::optional<std::string> body;  // JSON text
};

// What several nodes of one store share. Used on the engine's thread; answers come there too.
class Cluster {
 public:
  virtual ~Cluster() = default;
  virtual const Lease& lease() const = 0;
  struct Watcher {
    std::function<void(const Beat&)> beat;  // after each renewal of the lease
    std::function<void()> rung;             // another node has something to tell
    std::function<void()> lost;             // the lease is another's to end, and was: nothing more can be stored
  };
  virtual void watch(Watcher watcher) = 0;
  // Nothing that the lease protects is under way any more, since it is not held.
  virtual void at_rest() {}
  // Says to all nodes that there is something to look at.
  virtual void ring() = 0;

  // Takes over at most `limit` runs of nobody that this node can do. Those that do not rest only when `with_active`.
  virtual void claim(std::size_t limit, bool with_active, Answer<std::vector<Claimed>> answer) = 0;
  // Takes one run of nobody, whatever it needs; false when it is somebody's.
  virtual void claim_one(model::RunId run, Answer<bool> answer) = 0;
  // Gives all runs of this node to nobody but these. What was appended before must be settled.
  virtual void release_all_but(std::vector<model::RunId> kept, Answer<Nothing> answer) = 0;
  virtual void find_owner(model::RunId run, Answer<Owner> answer) = 0;

  virtual void read_mail(std::size_t limit, Answer<std::vector<Mail>> answer) = 0;
  // Sends mail to the owner of a run, and waits for its answer; Error(unavailable) when none comes in time.
  virtual void ask_owner(model::RunId run, std::string body, Answer<std::string> answer) = 0;
  // Sends mail without a body; nothing is answered.
  virtual void tell_owner(model::RunId run) = 0;
  // `text` empty: nobody waits for an answer.
  virtual void answer_mail(std::int64_t number, std::optional<std::string> text) = 0;

  // Tells what this node holds and wants of each limit, and gives what it gets; with `whole` it would have all limits
  // to itself, and has, when the answer says so. An error means that nothing is changed.
  struct Division {
    bool whole = false;
    std::map<std::string, QuotaGrant> grants;
  };
  virtual void divide_limits(std::vector<QuotaAsk> asks, bool whole, Answer<Division> answer) = 0;

  // Tells a node to drain, or to go on; not_found when there is none. With a line for the audit.
  virtual void set_draining(std::string node, bool draining, Audited audited, Answer<Nothing> answer) = 0;
};

}  // namespace godwit::engine
