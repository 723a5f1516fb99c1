#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/clock.hpp"
#include "engine/quota.hpp"
#include "engine/rank.hpp"
#include "engine/rate.hpp"
#include "engine/store.hpp"
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
// The turn is the time of arrival, with two corrections. Priority moves it (see turn_of). And the second, third, ...
// waiting request of one owner counts as having come later, by as much as its fair share of the limit makes it wait: a
// run that asks for a thousand at once does not shut out the others.
//
// Jobs may declare one limit differently: the smallest of their words counts for as long as runs keep them (see
// Declaration), so that none has more than its file says. Of one job the last word counts.
//
// A name with a colon, "tenant:acme", is a key: unless it is declared itself it has the numbers of "tenant:*", is there
// from the first request for it, and is forgotten when nothing is held, waited for or remembered of it.
class Limits {
 public:
  explicit Limits(Clock& clock) : clock_(clock) {}
  ~Limits();
  Limits(const Limits&) = delete;

  // Whose word on the size of a limit counts: a later one wins over an earlier one, never the other way.
  enum class Source { job, config, operator_ };
  static std::string_view name(Source source);
  // What limits have by the word of one job.
  using Words = std::map<std::string, model::LimitSpec>;

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
  // A job's word on limits, given back with it. Who holds one may outlive the limits.
  class Declaration {
   public:
    Declaration() = default;
    Declaration(Declaration&& other) noexcept;
    Declaration& operator=(Declaration&& other) noexcept;
    ~Declaration();

   private:
    friend class Limits;
    std::weak_ptr<Limits*> limits_;
    std::string job_;
    std::vector<std::string> names_;
  };
  Declaration declare(const std::string& job, const Words& words);
  // What an operator said, here or at another node, or that no operator says anything any more: then it has the numbers
  // again that it would have without. One that has none keeps those it has while anybody asks for it, and is gone otherwise.
  void take(const LimitSet& said);
  // Whether its numbers are an operator's.
  bool set_by_operator(const std::string& name) const;
  // Its numbers, or those a key has from its template; null for one that nobody has declared.
  const model::LimitSpec* spec(const std::string& name) const;
  bool known(const std::string& name) const { return spec(name) != nullptr; }
  // The numbers it would have once the job has declared these; empty for one that would still be unknown.
  std::optional<model::LimitSpec> spec_with(const std::string& name, const std::string& job, const Words& words) const;
  // Throws Error(refused) when so much of a limit with these numbers can never be had. Of a rate more than its burst is
  // had by waiting longer.
  // One with 0 permits lets nothing through for now, which is waited for.
  static void check(const std::string& name, int count, const model::LimitSpec* numbers);
  // The same for a step whose job declares `own`. What its own file allows, or an operator has taken away, it waits
  // for: that may come back.
  void check_step(const std::string& name, int count, const Words& own) const;
  // "tenant:*", the template of "tenant:acme"; empty for a name without a colon.
  static std::string template_of(const std::string& name);

  // Asks for permits; every limit must be known. When they are free the ticket has them at once; else waiting() is true
  // and `granted` is called from inside a later release() or set(), or by the clock. `holder` is what people see.
  template <typename Granted>
  Ticket acquire(const Demand& demand, std::string_view holder, Granted&& granted, Asker asker = {}) {
    Request& request = open(demand, holder, asker.owner);
    const Ticket ticket = request.ticket;
    if (take_at_once(request)) return ticket;
    // What most need not keep is not made for them.
    request.granted = std::forward<Granted>(granted);
    wait(request, asker.priority);
    return ticket;
  }
  // Gives back the permits of semaphores; what was taken of a rate is spent.
  void release(Ticket ticket);
  bool waiting(Ticket ticket) const;

  // How the call that a ticket was taken for was answered: what rates learn from. Before release().
  void succeeded(Ticket ticket);
  void refused(Ticket ticket, std::optional<base::Duration> retry_after);
  // The call cost another number of tokens of a rate than was asked for; the last word counts.
  void settle(Ticket ticket, const std::string& limit, int cost);
  // What the other side says of its own count; for all rates the ticket has when no limit is named.
  void quota(Ticket ticket, const std::string& limit, const model::Quota& quota);

  // Several nodes may share the limits: from share_out() on each lets through only what set_quota() has said last, those
  // that are known then all of theirs and those that come later nothing. Until take_whole(). `short_of` is called when
  // a request has to wait for want of quota.
  void share_out();
  // The same with nothing of any.
  void share_none();
  void take_whole();
  bool shared() const { return shared_; }
  void set_quota(const std::string& name, const QuotaGrant& grant);
  // What this node has and would like to have of each limit; it lets no more through than it says here it holds.
  std::vector<QuotaAsk> quota_asks();
  std::function<void()> short_of;

  struct View {
    std::string name;
    model::LimitSpec spec;
    int used = 0;  // permits in use, of a semaphore
    Source source = Source::job;
    std::size_t waiting = 0;
    std::vector<std::pair<std::string, int>> holders;  // at most 20, with their permits
    std::string key_of;                                // the template whose numbers it has: "tenant:*"; empty for most
    std::size_t keys = 0;                              // of a template: how many keys there are
    double rate = 0;          // tokens per second now; less than the spec's when refusals taught so
    base::Duration paused{};  // nothing is granted for so long, as the other side asked
    std::string why;          // a rate is not what is configured; empty when it is
    base::Duration until{};   // how long that lasts, where it is known
    std::optional<std::int64_t> quota;  // of this node, while the limits are shared; see QuotaAsk
    // Of missing() only, while more permits are asked for than there are: how many, and by whom when that is another
    // one, who came before.
    int too_many = 0;
    std::string before;
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
    const std::string* name = nullptr;  // its key among all
    model::LimitSpec spec;
    int used = 0;
    Source source = Source::job;
    std::optional<QuotaGrant> quota;  // while the limits are shared
    std::map<Turn, Request*> queue;
    std::unordered_map<std::uint64_t, Share> shares;  // of owners with waiting requests
    std::optional<Rate> rate;
    std::string key_of;         // see View
    std::size_t requests = 0;   // granted and waiting ones
    std::uint64_t timer = 0;    // for tokens to come
    base::Tick granted_at;      // the last grant to a waiting request
    base::Duration interval{};  // between such grants, smoothed
  };
  struct Request {
    struct Part {
      Limit* limit;
      int count;
      int settled = 0;  // of the count, the true cost; the count itself until it is known
    };
    Ticket ticket = 0;  // 0 while the place is free
    std::vector<Part> demand;
    std::string holder;
    std::function<void()> granted;
    std::uint64_t owner = 0;
    Turn turn;
    base::Tick asked_at;
    base::Tick taken_at;
    bool waiting = false;
  };

  // A ticket says where its request is kept, and by its greater part that it came after those before it.
  static constexpr unsigned kPlaceBits = 24;
  static std::size_t place_of(Ticket ticket) { return ticket & ((Ticket(1) << kPlaceBits) - 1); }

  Request& open(const Demand& demand, std::string_view holder, std::uint64_t owner);
  bool take_at_once(Request& request);
  void wait(Request& request, int priority);
  Request* find(Ticket ticket);
  const Request* find(Ticket ticket) const;
  Limit& limit_of(const std::string& name);
  void apply(Limit& limit, const model::LimitSpec& spec);
  void unset(const std::string& name);
  void keep_below(const std::string& name, const model::LimitSpec& spec, Source source);
  // The smallest of the jobs' words, with `own` for that of `job`; none when no job says anything.
  std::optional<model::LimitSpec> smallest_word(const std::string& name, const std::string& job,
                                                const model::LimitSpec* own) const;
  void withdraw(const std::string& job, const std::vector<std::string>& names);
  // Forgets keys of which nothing is left.
  void fade(Limit& limit);
  void sweep();
  bool can_grant(const Request& request, base::Tick now) const;
  void take(Request& request, base::Tick now);
  void enqueue(Request& request, int priority, base::Tick now);
  void dequeue(Request& request);
  void serve(Limit& limit);
  void wait_for_tokens(const Request& request, base::Tick now);
  void apply_quota(Limit& limit, std::optional<QuotaGrant> quota);
  void note_shortage(const Request& request) const;
  static int count_of(const Request& request, const Limit& limit);
  View view_of(const std::string& name, const Limit& limit) const;
  template <typename Find>
  void add_holders(Find view_of_limit) const;
  static Request* front(const Limit& limit) { return limit.queue.empty() ? nullptr : limit.queue.begin()->second; }

  Clock& clock_;
  std::map<std::string, Limit> limits_;
  // What would count of those whose numbers somebody else's word has taken the place of.
  std::map<std::string, std::pair<Source, model::LimitSpec>> below_;
  struct Word {
    model::LimitSpec spec;
    std::size_t declarations = 0;
  };
  std::map<std::string, std::map<std::string, Word>> words_;         // of jobs, by limit and job
  std::shared_ptr<Limits*> self_ = std::make_shared<Limits*>(this);  // gone with the limits
  std::uint64_t sweep_timer_ = 0;
  // Each in its place for as long as it is open; places are used again, with the memory they have.
  std::deque<Request> requests_;
  std::vector<std::size_t> free_places_;
  Ticket last_number_ = 0;
  bool shared_ = false;
};

}  // namespace godwit::engine
