#include "store/postgres_cluster.hpp"

#include "store/ask.hpp"
#include "store/cluster_queries.hpp"

namespace godwit::store {
namespace {

using engine::Answer;
using engine::Nothing;
using engine::Result;

// How long the owner of a run may take to do what it was asked to.
constexpr auto kAnswerTime = std::chrono::seconds(20);

base::Error answer_lost() {
  return base::Error(base::ErrorKind::unavailable, "the database's answer was lost");
}

// A query that must not be repeated when its answer was lost: what it did is not known then.
template <typename T>
std::function<T(Connection&)> once(std::function<T(Connection&)> query) {
  return [query = std::move(query), tried = std::make_shared<bool>(false)](Connection& connection) {
    if (std::exchange(*tried, true)) throw answer_lost();
    return query(connection);
  };
}

}  // namespace

PostgresCluster::PostgresCluster(engine::Clock& clock, const Site& site, RunNumbers& numbers, base::Duration period,
                                 std::function<void(std::int64_t)> renumber)
    : clock_(clock),
      lease_site_{site.url, std::min<base::Duration>(site.call_limit, period / 4), site.watchdog, site.stop},
      numbers_(numbers),
      renumber_(std::move(renumber)),
      reader_(clock, site, "nodes", kKeyedSettings),
      keeper_(lease_site_, period,
              {.renewed =
                   [this](const engine::Beat& beat) {
                     post([this, beat] {
                       if (watcher_.beat) watcher_.beat(beat);
                     });
                   },
               .lost =
                   [this] {
                     post([this] {
                       lost_ = true;
                       if (watcher_.lost) watcher_.lost();
                     });
                   }}) {}

PostgresCluster::~PostgresCluster() {
  join();
}

template <typename Work>
void PostgresCluster::post(Work work) {
  clock_.post([alive = std::weak_ptr(alive_), work = std::move(work)] {
    if (!alive.expired()) work();
  });
}

void PostgresCluster::start(const NodeSeat& seat, base::Duration taken) {
  seat_ = seat;
  reader_.start();
  keeper_.start(seat, taken);
}

void PostgresCluster::join() {
  keeper_.join();
  reader_.join();
}

void PostgresCluster::rang() {
  post([this] {
    take_answers();
    if (watcher_.rung) watcher_.rung();
  });
}

void PostgresCluster::watch(Watcher watcher) {
  watcher_ = std::move(watcher);
  if (lost_) return watcher_.lost();
  keeper_.hurry();
}

void PostgresCluster::ring() {
  // Many of them in a row are two: the one on its way, and one after it.
  if (std::exchange(ringing_, true)) {
    ring_again_ = true;
    return;
  }
  ask<Nothing>(
      reader_,
      [](Connection& connection) {
        store::ring(connection);
        return Nothing{};
      },
      [this](const Result<Nothing>&) {
        ringing_ = false;
        if (std::exchange(ring_again_, false)) ring();
      });
}

// When its answer was lost, what it did is looked up.
void PostgresCluster::claim(std::size_t limit, bool with_active, Answer<std::vector<engine::Claimed>> answer) {
  ask<std::vector<engine::Claimed>>(
      reader_,
      [this, limit, with_active, tried = std::make_shared<bool>(false)](Connection& connection) {
        auto claimed = std::exchange(*tried, true) ? claimed_since(connection, seat_, std::max(seat_.block, claimed_block_))
                                                   : claim_runs(connection, seat_, limit, with_active);
        take_block(claimed.block);
        return std::move(claimed.runs);
      },
      std::move(answer));
}

void PostgresCluster::claim_one(model::RunId run, Answer<bool> answer) {
  ask<bool>(
      reader_,
      [this, run](Connection& connection) {
        const auto block = claim_run(connection, seat_, run);
        take_block(block.value_or(0));
        return block.has_value();
      },
      std::move(answer));
}

// Before the runs are given that it came with: their former owner wrote greater numbers than this node did.
void PostgresCluster::take_block(std::int64_t block) {
  if (block == 0) return;
  claimed_block_ = block;
  renumber_(block);
}

void PostgresCluster::release_all_but(std::vector<model::RunId> kept, Answer<Nothing> answer) {
  ask<Nothing>(
      reader_,
      [this, kept = std::move(kept), block = std::make_shared<std::int64_t>(0)](Connection& connection) {
        if (*block == 0) *block = new_block(connection);
        release_runs_but(connection, seat_, kept, *block);
        return Nothing{};
      },
      std::move(answer));
}

void PostgresCluster::find_owner(model::RunId run, Answer<engine::Owner> answer) {
  ask<engine::Owner>(
      reader_, [this, run](Connection& connection) { return store::find_owner(connection, seat_, run); },
      std::move(answer));
}

void PostgresCluster::read_mail(std::size_t limit, Answer<std::vector<engine::Mail>> answer) {
  ask<std::vector<engine::Mail>>(
      reader_, [this, limit](Connection& connection) { return store::read_mail(connection, seat_, limit); },
      std::move(answer));
}

void PostgresCluster::ask_owner(model::RunId run, std::string body, Answer<std::string> answer) {
  numbers_.allocate(1, [this, run, body = std::move(body),
                        answer = std::move(answer)](Result<std::vector<model::RunId>> numbers) mutable {
    if (!numbers) return answer(numbers.error());
    const auto number = model::number(numbers->front());
    asked_[number] = std::move(answer);
    engine::Mail mail{number, run, std::move(body)};
    ask<Nothing>(
        reader_,
        [mail = std::move(mail)](Connection& connection) {
          send_mail(connection, mail);
          return Nothing{};
        },
        [](const Result<Nothing>&) {});
    clock_.at(clock_.tick() + kAnswerTime, [this, number, alive = std::weak_ptr(alive_)] {
      if (alive.expired() || !asked_.contains(number)) return;
      ask<std::optional<std::string>>(
          reader_, [number](Connection& connection) { return withdraw_mail(connection, number); },
          [this, number](const Result<std::optional<std::string>>& text) {
            answered(number, text ? *text : std::nullopt);
          });
    });
  });
}

// When it does not arrive, the owner finds out by itself.
void PostgresCluster::tell_owner(model::RunId run) {
  ask<Nothing>(
      reader_,
      once<Nothing>([run](Connection& connection) {
        tell_about(connection, run);
        return Nothing{};
      }),
      [](const Result<Nothing>&) {});
}

void PostgresCluster::answered(std::int64_t number, const std::optional<std::string>& text) {
  const auto asked = asked_.extract(number);
  if (asked.empty()) return;
  if (text) return asked.mapped()(*text);
  asked.mapped()(base::Error(base::ErrorKind::unavailable,
                             "the node that has the run did not answer in time; nothing was changed", {},
                             "`godwit node list` shows how it is; its runs are taken over once its lease is over"));
}

void PostgresCluster::take_answers() {
  if (asked_.empty()) return;
  std::vector<std::int64_t> numbers;
  for (const auto& [number, answer] : asked_) numbers.push_back(number);
  using Answers = std::vector<std::pair<std::int64_t, std::string>>;
  ask<Answers>(reader_, once<Answers>([numbers = std::move(numbers)](Connection& connection) {
                 return store::take_answers(connection, numbers);
               }),
               [this](const Result<Answers>& answers) {
                 if (!answers) return;
                 for (const auto& [number, text] : *answers) answered(number, text);
               });
}

void PostgresCluster::answer_mail(std::int64_t number, std::optional<std::string> text) {
  ask<Nothing>(
      reader_,
      [number, text = std::move(text)](Connection& connection) {
        store::answer_mail(connection, number, text);
        return Nothing{};
      },
      [](const Result<Nothing>&) {});
}

void PostgresCluster::divide_limits(std::vector<engine::QuotaAsk> asks, bool whole, Answer<Division> answer) {
  ask<Division>(
      reader_,
      [this, asks = std::move(asks), whole, round = ++round_](Connection& connection) {
        return store::divide_limits(connection, seat_, round, asks, whole);
      },
      std::move(answer));
}

void PostgresCluster::set_draining(std::string node, bool draining, engine::Audited audited, Answer<Nothing> answer) {
  ask<Nothing>(
      reader_,
      [this, node = std::move(node), draining, audited = std::move(audited)](Connection& connection) {
        store::set_draining(connection, seat_, node, draining, audited);
        return Nothing{};
      },
      std::move(answer));
}

}  // namespace godwit::store
