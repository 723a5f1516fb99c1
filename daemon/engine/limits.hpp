#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/clock.hpp"
#include "engine/rate.hpp"
#include "model/limit.hpp"

namespace godwit::engine {

// Who asks for permits: requests of one owner share its turn. 0 is nobody in particular.
struct Asker {
  std::uint64_t owner = 0;
  int priority = 0;
};

// Named semaphores with weighted permits and rates, local to this node. A request for several is granted all at once or
// not at all, and in turn: nobody who asks for little overtakes somebody who waits for much of the same limit.
//
// The turn is the time of arrival, with two corrections. A level of priority is worth a minute, so who waits long
// enough comes before anybody. And the second, third, ... waiting request of one owner counts as having come later, by
// as much as its fair share of the limit makes it wait: a run that asks for a thousand at once does not shut out the
// others.
class Limits {
 public:
  explicit Limits(Clock& clock) : clock_(clock) {}
  ~Limits();
  Limits(const Limits&) = delete;

  // Whose word on the size of a limit counts: a later one wins over an earlier one, never the other way.
  enum class Source { job, config, operator_ };
  static std::string_view name(Source source);

  // What one request asks for, by limit.
  using Demand = std::map<std::string, int>;
  // A place in the queues, or granted permits. Given back with release(), granted or not; 0 is none.
  using Ticket = std::uint64_t;

  // Declares a limit or changes it. Fewer permits than are in use: nothing is taken away, nothing more is granted until
  // enough came back.
  void set(const std::string& name, const model::LimitSpec& spec, Source source);
  void set(const std::string& name, int permits, Source source) {
    set(name, model::LimitSpec{.permits = permits}, source);
  }
  bool known(const std::string& name) const { return limits_.contains(name); }
  // How much one request can ever have: the permits of a semaphore, the burst of a rate.
  int permits(const std::string& name) const;

  // Asks for permits; every limit must be known. When they are free the ticket has them at once; else waiting() is true
  // and `granted` is called from inside a later release() or set(), or by the clock. `holder` is what people see.
  Ticket acquire(const Demand& demand, std::string holder, std::function<void()> granted, Asker asker = {});
  // Gives back the permits of semaphores; what was taken of a rate is spent.
  void release(Ticket ticket);
  bool waiting(Ticket ticket) const;

  // How the call that a ticket was taken for was answered: what rates learn from. Before release().
  void succeeded(Ticket ticket);
  void refused(Ticket ticket, std::optional<base::Duration> retry_after);
  // The call cost another number of tokens of a rate than was asked for.
  void settle(Ticket ticket, const std::string& limit, int cost);

  struct View {
    std::string name;
    model::LimitSpec spec;
    int used = 0;  // permits in use, of a semaphore
    Source source = Source::job;
    std::size_t waiting = 0;
    std::vector<std::pair<std::string, int>> holders;  // at most 20, with their permits
    double rate = 0;          // tokens per second now; less than the spec's when refusals taught so
    base::Duration paused{};  // nothing is granted for so long, as the other side asked
  };
  std::vector<View> view() const;
  // The limits a waiting ticket still lacks, empty when it is granted or unknown.
  std::vector<View> missing(Ticket ticket) const;

 private:
  struct Request;
  // The turn: a time, and the ticket to tell equal ones apart. One order for all limits, so that there is no deadlock.
  using Turn = std::pair<base::Tick, Ticket>;
  struct Share {
    base::Tick next;  // the turn of the owner's next waiting request
    std::size_t waiting = 0;
  };
  struct Limit {
    model::LimitSpec spec;
    int used = 0;
    Source source = Source::job;
    std::map<Turn, Request*> queue;
    std::unordered_map<std::uint64_t, Share> shares;  // of owners with waiting requests
    std::optional<Rate> rate;
    std::uint64_t timer = 0;    // for tokens to come
    base::Tick granted_at;      // the last grant to a waiting request
    base::Duration interval{};  // between such grants, smoothed
  };
  struct Request {
    std::vector<std::pair<Limit*, int>> demand;
    std::string holder;
    std::function<void()> granted;
    std::uint64_t owner = 0;
    Turn turn;
    base::Tick taken_at;
    bool waiting = false;
  };

  Request* find(Ticket ticket) const;
  bool can_grant(const Request& request, base::Tick now) const;
  void take(Request& request, base::Tick now);
  void enqueue(Request& request, Ticket ticket, int priority, base::Tick now);
  void dequeue(Request& request);
  void serve(Limit& limit);
  void wait_for_tokens(const Request& request, base::Tick now);
  View view_of(const std::string& name, const Limit& limit) const;
  static Request* front(const Limit& limit) { return limit.queue.empty() ? nullptr : limit.queue.begin()->second; }

  Clock& clock_;
  std::map<std::string, Limit> limits_;
  std::unordered_map<Ticket, std::unique_ptr<Request>> requests_;
  Ticket last_ticket_ = 0;
};

}  // namespace godwit::engine
