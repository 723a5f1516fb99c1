#include "engine/nodes.hpp"

#include "base/log.hpp"

namespace godwit::engine {

namespace json = base::json;

namespace {

constexpr std::size_t kClaimPage = 2048;
constexpr std::size_t kMailPage = 256;
// While several nodes share limits these are divided anew so often, and this long after somebody came to lack some.
constexpr auto kRound = std::chrono::milliseconds(500);
constexpr auto kSoon = std::chrono::milliseconds(20);
// Nodes ring for many reasons; what they share is looked at so long after the first of them.
constexpr auto kRefreshPause = std::chrono::milliseconds(200);
// Queues are divided as limits are, under names that no limit has.
constexpr std::string_view kQueue = "queue\n";

json::object no_node(model::RunId run) {
  return {
      {"run", model::number(run)},
      {"state", model::name(model::RunState::queued)},
      {"reasons", json::array{json::object{
                      {"code", "no_node"},
                      {"text",
                       "no node has taken the run: it waits for one with the plugins it is pinned to and the labels "
                       "node.* it asks for, and with room in memory (`godwit node list`)"}}}}};
}

}  // namespace

Nodes::~Nodes() {
  for (const auto timer : {lease_timer_, round_timer_})
    if (timer) parts_.clock.cancel(timer);
}

void Nodes::start(std::function<void()> ready) {
  if (!parts_.cluster) return ready();
  ready_ = std::move(ready);
  // Until the first answer nobody knows what others hold.
  parts_.limits.share_none();
  parts_.queues.share_none();
  parts_.limits.short_of = parts_.queues.short_of = [this] { divide_soon(); };
  watch_lease();
  parts_.cluster->watch({.beat = [this](const Beat& beat) { on_beat(beat); },
                         .rung = [this] { on_rung(); },
                         .lost = [this] { parts_.lost(); }});
}

void Nodes::on_beat(const Beat& beat) {
  if (stopped_) return;
  others_ = beat.others;
  if (std::exchange(lapsed_, false)) base::log::info("the database has been heard from again: going on");
  parts_.runner.unpark();
  watch_lease();
  if (draining_ != beat.draining) {
    draining_ = beat.draining;
    base::log::info("{}",
                    draining_ ? "told to drain: running steps end here, other nodes take the rest" : "told to go on");
    parts_.draining(draining_);
  }
  // Before the others' quotas are looked at: what comes here may need a part of them first.
  orphans_ = orphans_ || beat.orphans;
  claim();
  // First it is said here that the limits are shared, then there.
  if (others_ > 0 && !parts_.limits.shared()) share_out();
  if (others_ > 0 || parts_.limits.shared()) divide();
  divide_regularly();
  read_mail();
  if (others_ > 0) parts_.refresh();
}

void Nodes::on_rung() {
  if (stopped_ || ready_) return;
  read_mail();
  orphans_ = true;
  claim();
  refresh_soon();
}

void Nodes::refresh_soon() {
  if (std::exchange(refresh_due_, true)) return;
  parts_.clock.at(parts_.clock.tick() + kRefreshPause, [this] {
    refresh_due_ = false;
    if (!stopped_) parts_.refresh();
  });
}

void Nodes::tell_others() {
  if (others_ > 0) parts_.cluster->ring();
}

void Nodes::mailed() {
  tell_others();
  read_mail();
}

void Nodes::watch_lease() {
  if (lease_timer_) parts_.clock.cancel(std::exchange(lease_timer_, 0));
  const auto left = std::min<base::Duration>(parts_.cluster->lease().left(), std::chrono::hours(1));
  lease_timer_ = parts_.clock.at(parts_.clock.tick() + std::max(left, base::Duration(0)) + base::Duration(1), [this] {
    lease_timer_ = 0;
    parts_.cluster->lease().held() ? watch_lease() : on_lapse();
  });
}

// By the time others may take over, nothing of ours is under way any more.
void Nodes::on_lapse() {
  if (std::exchange(lapsed_, true) || stopped_) return;
  base::log::warning(
      "the database has not been heard from for too long: running calls are cut off, others may go on with "
      "the runs of this node soon");
  parts_.steps.cut([this] {
    if (lapsed_) parts_.cluster->at_rest();
  });
}

void Nodes::claim() {
  if (!orphans_ || claiming_ || parts_.intake.draining() || stopped_ || ready_ || !parts_.cluster->lease().held()) return;
  const auto room = parts_.intake.room();
  const auto limit = room > 0 ? std::min(kClaimPage, room) : kClaimPage;
  claiming_ = true;
  parts_.cluster->claim(limit, room > 0, [this, limit](const Result<std::vector<Claimed>>& claimed) {
    claiming_ = false;
    if (!claimed) {
      base::log::warning("runs of other nodes were not taken over: {}", claimed.error().what());
      return parts_.intake.look_again();
    }
    if (!claimed->empty()) base::log::info("{} runs were taken over", claimed->size());
    parts_.intake.take_claimed(*claimed);
    // With no room left the next beat looks again.
    orphans_ = claimed->size() == limit && parts_.intake.room() > 0;
    claim();
  });
}

void Nodes::divide_soon() {
  if (std::exchange(divide_due_, true)) return;
  parts_.clock.at(parts_.clock.tick() + kSoon, [this] {
    divide_due_ = false;
    divide();
  });
}

void Nodes::divide_regularly() {
  if (round_timer_ || !parts_.limits.shared()) return;
  round_timer_ = parts_.clock.at(parts_.clock.tick() + kRound, [this] {
    round_timer_ = 0;
    if (parts_.limits.shared()) divide();
    divide_regularly();
  });
}

void Nodes::share_out() {
  parts_.limits.share_out();
  parts_.queues.share_out();
}

std::vector<QuotaAsk> Nodes::quota_asks() {
  auto asks = parts_.limits.quota_asks();
  for (auto& ask : parts_.queues.quota_asks(parts_.intake.draining() ? 0 : parts_.intake.room())) {
    ask.name.insert(0, kQueue);
    asks.push_back(std::move(ask));
  }
  return asks;
}

void Nodes::take_grants(const Cluster::Division& division) {
  if (division.whole) {
    parts_.limits.take_whole();
    parts_.queues.take_whole();
  }
  for (const auto& [name, grant] : division.grants)
    if (name.starts_with(kQueue))
      parts_.queues.set_quota(name.substr(kQueue.size()), grant);
    else
      parts_.limits.set_quota(name, grant);
  parts_.intake.queues_changed();
}

void Nodes::divide() {
  if (stopped_ || !parts_.limits.shared()) return;
  divide_again_ = true;
  if (dividing_) return;
  dividing_ = true;
  divide_again_ = false;
  parts_.cluster->divide_limits(quota_asks(), others_ == 0,
                                [this](const Result<Cluster::Division>& division) {
                                  dividing_ = false;
                                  on_divided(division);
                                  if (divide_again_) divide_soon();
                                });
}

void Nodes::on_divided(const Result<Cluster::Division>& division) {
  if (!division || stopped_) return;
  take_grants(*division);
  if (ready_) {
    std::exchange(ready_, nullptr)();
    on_rung();
  }
}

void Nodes::read_mail() {
  mail_again_ = true;
  if (reading_mail_ || stopped_ || ready_) return;
  reading_mail_ = true;
  mail_again_ = false;
  parts_.cluster->read_mail(kMailPage, [this](Result<std::vector<Mail>> mail) {
    reading_mail_ = false;
    if (!mail) return base::log::warning("what other nodes sent was not read: {}", mail.error().what());
    for (auto& one : *mail)
      if (opened_.insert(one.number).second) open(std::move(one));
    if (mail_again_) read_mail();
  });
}

void Nodes::open(Mail mail) {
  const auto answer = [this, number = mail.number](std::optional<std::string> text) {
    opened_.erase(number);
    parts_.cluster->answer_mail(number, std::move(text));
  };
  if (!mail.body) return look_at(mail.run, [answer] { answer(std::nullopt); });
  try {
    parts_.orders.perform(mail.run, parse_order(*mail.body),
                          [answer](const Result<json::value>& reply) { answer(reply_text(reply)); });
  } catch (const std::exception& error) {
    answer(reply_text(base::refused(std::string("the order cannot be read: ") + error.what())));
  }
}

// What another node has written about a run of this one: that a child has ended, that it is to be cancelled, or that a
// lock it waits for was let go.
void Nodes::look_at(model::RunId run, std::function<void()> done) {
  parts_.intake.with_run(run, [this, run, done = std::move(done)](ActiveRun* active) {
    if (!active) return parts_.waiting(run, done);
    parts_.store.load_run(run, [this, run, done](const Result<UnfinishedRun>& stored) {
      if (ActiveRun* found = parts_.runner.find(run); stored && found) apply(*found, *stored);
      done();
    });
  });
}

void Nodes::apply(ActiveRun& run, const UnfinishedRun& stored) {
  const model::RunId id = run.id();
  if (stored.cancel_requested && !run.cancelling && !run.ending && !run.closing) {
    run.cancelling = true;
    run.cancelled_by = stored.cancelled_by;
    parts_.runner.wind_up(run);
  }
  for (const auto& [path, wait] : stored.waits)
    if (ActiveRun* active = parts_.runner.find(id); active && wait.child_end)
      parts_.runner.waits().child_ended(*active, *wait.child_end);
  if (ActiveRun* active = parts_.runner.find(id)) parts_.runner.ask_for_locks(*active);
}

void Nodes::tell(model::RunId run) {
  if (others_ > 0 && may_be_elsewhere(run)) parts_.cluster->tell_owner(run);
}

void Nodes::send(model::RunId run, Order order, Answer<json::value> answer) {
  if (!may_be_elsewhere(run)) return parts_.orders.perform(run, std::move(order), std::move(answer));
  parts_.cluster->find_owner(
      run, [this, run, order = std::move(order), answer = std::move(answer)](const Result<Owner>& owner) mutable {
        if (!owner) return answer(owner.error());
        pass_on(run, std::move(order), *owner, std::move(answer));
      });
}

void Nodes::pass_on(model::RunId run, Order order, const Owner& owner, Answer<json::value> answer) {
  if (owner.kind == Owner::other)
    return parts_.cluster->ask_owner(run, order_text(order),
                                     [answer = std::move(answer)](const Result<std::string>& text) {
                                       answer(text ? parse_reply(*text) : Result<json::value>(text.error()));
                                     });
  if (owner.kind == Owner::nobody && order.what == "why") return answer(json::value(no_node(run)));
  if (owner.kind != Owner::nobody) return parts_.orders.perform(run, std::move(order), std::move(answer));
  // Nobody has it, perhaps because no node can do it: what a person wants is done here.
  parts_.cluster->claim_one(run, [this, run, order = std::move(order),
                                  answer = std::move(answer)](const Result<bool>& claimed) mutable {
    if (!claimed) return answer(claimed.error());
    if (!*claimed)
      return answer(base::Error(base::ErrorKind::unavailable,
                                "run " + model::text(run) + " has just been taken by another node", {}, "try again"));
    // It stays in the store, for to load it would be to let it begin.
    const bool ends = order.what == "cancel";
    parts_.orders.perform(run, std::move(order),
                          [this, run, ends, answer = std::move(answer)](Result<json::value> reply) {
                            if (!ends && !parts_.intake.is_here(run)) parts_.intake.release(run);
                            answer(std::move(reply));
                          });
  });
}

json::object Nodes::status() const {
  if (!parts_.cluster) return {{"alone", true}};
  return {{"alone", others_ == 0},
          {"others", others_},
          {"draining", draining_},
          {"lease_held", parts_.cluster->lease().held()},
          {"limits_shared", parts_.limits.shared()}};
}

}  // namespace godwit::engine
