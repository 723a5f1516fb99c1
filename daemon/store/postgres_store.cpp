#include "store/postgres_store.hpp"

#include <pthread.h>

#include <condition_variable>
#include <thread>

#include "base/json_text.hpp"
#include "base/log.hpp"
#include "store/ask.hpp"
#include "store/cluster_queries.hpp"
#include "store/postgres_cluster.hpp"
#include "store/expiry.hpp"
#include "store/health.hpp"
#include "store/history_queries.hpp"
#include "store/journal.hpp"
#include "store/listener.hpp"
#include "store/locks.hpp"
#include "store/migrator.hpp"
#include "store/private_cluster.hpp"
#include "store/recovery.hpp"
#include "store/run_numbers.hpp"
#include "store/sql_step.hpp"
#include "store/trouble.hpp"

namespace godwit::store {
namespace {

// Migrations and the work of a start may take longer than a call of the daily business.
constexpr auto kOpeningLimit = std::chrono::minutes(10);
// The statements of steps have time limits of their own, which the server keeps; this is for a server that is gone.
constexpr auto kStatementLimit = std::chrono::hours(2);
constexpr auto kSweepInterval = std::chrono::minutes(1);
constexpr int kLossesMax = 3;

}  // namespace

// The parts of the store and the order in which they come to life.
class PostgresStore::Impl {
 public:
  Impl(StoreSettings settings, engine::Clock& clock, SocketWatch* watch)
      : settings_(std::move(settings)),
        clock_(clock),
        site_{settings_.url, settings_.call_limit, watchdog_, stop_},
        uplink_(site_, "journal", kKeyedSettings),
        journal_(clock, uplink_, stop_, health_, unfolded_),
        reader_(clock, site_, "reader", kKeyedSettings),
        history_(clock, site_, "history"),
        statement_site_{settings_.url, kStatementLimit, watchdog_, stop_},
        statements_(clock, statement_site_, "steps"),
        numbers_(clock, reader_),
        listener_(
            site_, [this] { inbox_arrived(); },
            [this] {
              if (nodes_) nodes_->rang();
            }) {
    if (!settings_.url.empty())
      nodes_.emplace(clock, site_, numbers_, settings_.lease,
                     [this](std::int64_t block) { journal_.renumber(block); });
    journal_.on_numbers_low([this] { take_block(); });
    uplink_.on_failed([this](const std::string& reason) { connect_failed(reason); });
    if (watch) journal_.use_express_lane(*watch);
    journal_.on_fold_due([this](std::vector<std::int64_t> ended, bool whole) { fold_later(std::move(ended), whole); });
  }

  ~Impl() { stop(base::Duration(0)); }

  void start(engine::Answer<engine::Nothing> answer) {
    thread_ = std::thread([this, answer = std::move(answer)]() mutable { run(std::move(answer)); });
    pthread_setname_np(thread_.native_handle(), "store-journal");
  }

  void stop(base::Duration patience) {
    if (std::exchange(stopped_, true)) return;
    journal_.finish();
    wait_for_journal(patience);
    if (nodes_ && seat().epoch != 0 && journal_ended_) leave();
    stop_.raise();
    watchdog_.cut_all();
    for (auto* part : {&reader_, &history_, &statements_}) part->join();
    if (nodes_) nodes_->join();
    listener_.join();
    if (thread_.joinable()) thread_.join();
    if (cluster_) cluster_->stop();
  }

  template <typename T>
  void read(engine::Answer<T> answer, std::function<T(Connection&)> query) {
    ask<T>(reader_, std::move(query), std::move(answer));
  }
  template <typename T>
  void look_back(engine::Answer<T> answer, std::function<T(Connection&)> query) {
    ask<T>(history_, std::move(query), std::move(answer));
  }

  void execute(engine::SqlStep step, engine::Answer<engine::SqlDone> answer) {
    ask<engine::SqlDone>(
        statements_,
        [this, step = std::move(step), losses = 0](Connection& connection) mutable {
          try {
            return execute_step(connection, seat(), step);
          } catch (const pqxx::broken_connection& error) {
            // What ends its own session would do so for ever, and nobody else's statement would come to its turn.
            if (++losses < kLossesMax) throw;
            throw base::Error(base::ErrorKind::failed,
                              fmt::format("the database ended the session while the statement ran, {} times: {}",
                                          losses, describe(error)));
          }
        },
        std::move(answer));
  }

  NodeSeat seat() const {
    const std::lock_guard lock(mutex_);
    return seat_;
  }
  void watch_inbox(std::function<void()> arrived) {
    const std::lock_guard lock(mutex_);
    arrived_ = std::move(arrived);
  }
  base::json::object status() const {
    auto status = health_.show();
    const auto seat = this->seat();
    const auto totals = journal_.totals();
    status["private"] = settings_.url.empty();
    status["node"] = settings_.node_name;
    status["epoch"] = seat.epoch;
    status["store_id"] = seat.store_id;
    status["journal"] = base::json::object{{"facts", totals.facts},
                                           {"batches", totals.batches},
                                           {"express", totals.express},
                                           {"repeated", totals.repeated},
                                           {"refused", totals.refused},
                                           {"waiting", totals.waiting},
                                           {"waiting_bytes", totals.waiting_bytes},
                                           {"relaxed_dropped", totals.relaxed_dropped}};
    const std::lock_guard lock(mutex_);
    if (cluster_) status["cluster"] = cluster_->status();
    return status;
  }

  engine::Cluster* cluster() { return nodes_ ? &*nodes_ : nullptr; }
  Journal& journal() { return journal_; }
  const UnfoldedRuns& unfolded() const { return unfolded_; }
  RunNumbers& numbers() { return numbers_; }

 private:
  // The journal's thread.
  void run(engine::Answer<engine::Nothing> answer) {
    try {
      if (open(answer)) journal_.run(seat());
    } catch (const Stopped&) {
    }
    {
      const std::lock_guard lock(mutex_);
      journal_ended_ = true;
    }
    ended_.notify_all();
  }

  // Everything until the store can be used; false when it never will be.
  bool open(engine::Answer<engine::Nothing>& answer) {
    try {
      if (settings_.url.empty()) start_cluster();
      session_url(site_.url, "");
    } catch (const base::Error& error) {
      give_up(answer, error);
      return false;
    }
    for (;;) {
      try {
        prepare();
        break;
      } catch (const base::Error& error) {
        give_up(answer, error);
        return false;
      } catch (const std::exception& error) {
        connect_failed(describe(error));
        uplink_.back_off();
      }
    }
    reader_.start();
    history_.start();
    statements_.start();
    listener_.start();
    health_.set(Health::State::up);
    clock_.post([this, alive = std::weak_ptr(alive_), answer = std::move(answer)] {
      if (alive.expired()) return;
      numbers_.prefetch();
      sweep();
      answer(engine::Nothing{});
    });
    return true;
  }

  // Deletes runs whose time is over, again and again; a full page is followed by the next at once.
  void sweep() {
    ask<std::size_t>(
        history_,
        [](Connection& connection) {
          const auto deleted = delete_expired(connection);
          if (deleted == 0) delete_leftovers(connection);
          return deleted;
        },
        [this, alive = std::weak_ptr(alive_)](const engine::Result<std::size_t>& deleted) {
          if (alive.expired() || stopped_) return;
          if (deleted && *deleted > 0) return sweep();
          clock_.at(base::tick() + kSweepInterval, [this, alive] {
            if (!alive.expired() && !stopped_) sweep();
          });
        });
  }

  void give_up(engine::Answer<engine::Nothing>& answer, const base::Error& error) {
    health_.give_up(error.what());
    clock_.post([answer = std::move(answer), error] { answer(error); });
  }

  void start_cluster() {
    auto cluster = std::make_unique<PrivateCluster>(settings_.state_dir, settings_.bin_dir);
    cluster->start();
    site_.url = statement_site_.url = cluster->url();
    const std::lock_guard lock(mutex_);
    cluster_ = std::move(cluster);
  }

  void prepare() {
    if (cluster_) make_database();
    Connection connection(site_.url, "start", watchdog_, kOpeningLimit);
    health_.set_server_version(connection.server_version());
    for (const auto& warning : durability_warnings(connection)) health_.add_warning(warning);
    migrate(connection, migrations());
    const auto taken = LeaseKeeper::boot_time();
    const auto seat = take_seat(connection, {.name = settings_.node_name,
                                             .lease = nodes_ ? settings_.lease : base::Duration(0),
                                             .only_if_free = settings_.only_if_free,
                                             .labels = base::serialize(base::json::value_from(settings_.labels)),
                                             .offers = settings_.offers,
                                             .version = settings_.version});
    fold(connection, seat, {}, true, unfolded_);
    clear_open_runs(connection, seat);
    if (nodes_) nodes_->start(seat, taken);
    const std::lock_guard lock(mutex_);
    seat_ = seat;
  }

  // The numbers of facts have run low.
  void take_block() {
    history_.add({[this](Connection& connection) -> std::function<void()> {
                    journal_.renumber(new_block(connection));
                    return [] {};
                  },
                  [](const base::Error&) -> std::function<void()> { return [] {}; }});
  }

  // Others may go on at once with what is left.
  void leave() {
    try {
      Connection connection(site_.url, "end", watchdog_, std::chrono::seconds(3));
      leave_seat(connection, seat());
    } catch (const std::exception&) {
      // They will when the lease is over.
    }
  }

  void make_database() {
    Connection connection(cluster_->url("postgres"), "start", watchdog_, kOpeningLimit);
    if (connection.exec("SELECT FROM pg_database WHERE datname = 'godwit'").empty())
      connection.exec("CREATE DATABASE godwit");
  }

  void connect_failed(const std::string& reason) {
    // Until the first connection the state stays "starting": a server takes its time.
    if (seat().epoch == 0)
      health_.set_error(reason);
    else
      health_.set(Health::State::down, reason);
  }

  void inbox_arrived() {
    clock_.post([this, alive = std::weak_ptr(alive_)] {
      if (alive.expired()) return;
      std::function<void()> arrived;
      {
        const std::lock_guard lock(mutex_);
        arrived = arrived_;
      }
      if (arrived) arrived();
    });
  }

  void fold_later(std::vector<std::int64_t> ended, bool whole) {
    history_.add({[this, ended = std::move(ended), whole](Connection& connection) -> std::function<void()> {
                    fold(connection, seat(), ended, whole, unfolded_);
                    return [] {};
                  },
                  [](base::Error) -> std::function<void()> { return [] {}; }});
  }

  void wait_for_journal(base::Duration patience) {
    std::unique_lock lock(mutex_);
    if (thread_.joinable()) ended_.wait_for(lock, patience, [this] { return journal_ended_; });
  }

  const StoreSettings settings_;
  engine::Clock& clock_;
  Watchdog watchdog_;
  StopSignal stop_;
  Health health_;
  std::unique_ptr<PrivateCluster> cluster_;
  Site site_;
  Uplink uplink_;
  UnfoldedRuns unfolded_;
  Journal journal_;
  Reader reader_, history_;
  Site statement_site_;
  Reader statements_;
  RunNumbers numbers_;
  Listener listener_;
  std::optional<PostgresCluster> nodes_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  NodeSeat seat_;
  std::function<void()> arrived_;
  bool journal_ended_ = false;
  bool stopped_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>();  // for work that was posted and is done when this is gone
  std::thread thread_;
};

PostgresStore::PostgresStore(StoreSettings settings, engine::Clock& clock, SocketWatch* watch)
    : impl_(std::make_unique<Impl>(std::move(settings), clock, watch)) {}
PostgresStore::~PostgresStore() = default;

void PostgresStore::start(engine::Answer<engine::Nothing> answer) {
  impl_->start(std::move(answer));
}
void PostgresStore::stop(base::Duration patience) {
  impl_->stop(patience);
}

void PostgresStore::append(std::vector<engine::Fact> facts, std::function<void(engine::Verdict)> settled) {
  impl_->journal().append(std::move(facts), std::move(settled));
}
void PostgresStore::append_relaxed(engine::Fact fact) {
  impl_->journal().append_relaxed(std::move(fact));
}
void PostgresStore::allocate_runs(std::size_t count, engine::Answer<std::vector<model::RunId>> answer) {
  impl_->numbers().allocate(count, std::move(answer));
}
void PostgresStore::watch_inbox(std::function<void()> arrived) {
  impl_->watch_inbox(std::move(arrived));
}
base::json::object PostgresStore::status() const {
  return impl_->status();
}
std::string PostgresStore::store_id() const {
  return impl_->seat().store_id;
}
engine::Cluster* PostgresStore::cluster() {
  return impl_->cluster();
}

void PostgresStore::load_unfinished(model::RunId after, std::size_t limit,
                                    engine::Answer<std::vector<engine::UnfinishedRun>> answer) {
  impl_->read<std::vector<engine::UnfinishedRun>>(std::move(answer), [this, after, limit](Connection& connection) {
    return store::load_unfinished(connection, impl_->seat(), impl_->unfolded(), after, limit);
  });
}
void PostgresStore::load_ranked(model::RunId after, std::size_t limit,
                                engine::Answer<std::vector<engine::RankedRun>> answer) {
  impl_->read<std::vector<engine::RankedRun>>(std::move(answer), [this, after, limit](Connection& connection) {
    return store::load_ranked(connection, impl_->seat(), impl_->unfolded(), after, limit);
  });
}
void PostgresStore::load_run(model::RunId run, engine::Answer<engine::UnfinishedRun> answer) {
  impl_->read<engine::UnfinishedRun>(std::move(answer),
                                     [run](Connection& connection) { return store::load_run(connection, run); });
}
void PostgresStore::load_runs(std::vector<model::RunId> runs,
                              engine::Answer<std::vector<engine::UnfinishedRun>> answer) {
  impl_->read<std::vector<engine::UnfinishedRun>>(std::move(answer), [this, runs = std::move(runs)](Connection& connection) {
    return store::load_runs(connection, impl_->seat(), runs);
  });
}
void PostgresStore::load_resting(engine::Answer<std::vector<engine::Resting>> answer) {
  impl_->read<std::vector<engine::Resting>>(
      std::move(answer), [this](Connection& connection) { return store::load_resting(connection, impl_->seat()); });
}
void PostgresStore::execute(engine::SqlStep step, engine::Answer<engine::SqlDone> answer) {
  impl_->execute(std::move(step), std::move(answer));
}
void PostgresStore::read_signals(std::size_t limit, engine::Answer<std::vector<engine::SignalSent>> answer) {
  impl_->read<std::vector<engine::SignalSent>>(std::move(answer), [this, limit](Connection& connection) {
    return store::read_signals(connection, impl_->seat(), limit);
  });
}
void PostgresStore::read_outputs(model::RunId run, std::vector<std::string> paths,
                                 engine::Answer<std::map<std::string, std::string>> answer) {
  impl_->read<std::map<std::string, std::string>>(
      std::move(answer),
      [run, paths = std::move(paths)](Connection& connection) { return store::read_outputs(connection, run, paths); });
}
void PostgresStore::read_checkpoint(model::RunId run, std::string path, std::string key,
                                    engine::Answer<std::optional<std::string>> answer) {
  impl_->read<std::optional<std::string>>(std::move(answer),
                                          [run, path = std::move(path), key = std::move(key)](Connection& connection) {
                                            return store::read_checkpoint(connection, run, path, key);
                                          });
}
void PostgresStore::load_job(std::string version, engine::Answer<engine::JobStored> answer) {
  impl_->read<engine::JobStored>(std::move(answer), [version = std::move(version)](Connection& connection) {
    return store::load_job(connection, version);
  });
}
void PostgresStore::load_limits(engine::Answer<std::vector<engine::LimitSet>> answer) {
  impl_->read<std::vector<engine::LimitSet>>(std::move(answer),
                                             [](Connection& connection) { return store::load_limits(connection); });
}
void PostgresStore::load_queues(engine::Answer<std::vector<engine::QueueSet>> answer) {
  impl_->read<std::vector<engine::QueueSet>>(std::move(answer),
                                             [](Connection& connection) { return store::load_queues(connection); });
}
void PostgresStore::load_schedules(engine::Answer<std::vector<engine::StoredSchedule>> answer) {
  impl_->read<std::vector<engine::StoredSchedule>>(
      std::move(answer), [](Connection& connection) { return store::load_schedules(connection); });
}
void PostgresStore::open_fires(std::string schedule, base::Instant instant, engine::Answer<engine::OpenFires> answer) {
  impl_->read<engine::OpenFires>(std::move(answer), [schedule = std::move(schedule), instant](Connection& connection) {
    return store::open_fires(connection, schedule, instant);
  });
}
void PostgresStore::take_lock(engine::LockRow wanted, engine::Answer<std::vector<engine::LockRow>> answer) {
  impl_->read<std::vector<engine::LockRow>>(std::move(answer),
                                            [this, wanted = std::move(wanted)](Connection& connection) {
                                              return store::take_lock(connection, impl_->seat(), wanted);
                                            });
}
void PostgresStore::grantable_locks(std::vector<std::string> names, engine::Answer<std::vector<model::RunId>> answer) {
  impl_->read<std::vector<model::RunId>>(std::move(answer), [names = std::move(names)](Connection& connection) {
    return store::grantable_locks(connection, names);
  });
}
void PostgresStore::read_locks(std::string name, engine::Answer<std::vector<engine::LockRow>> answer) {
  impl_->read<std::vector<engine::LockRow>>(std::move(answer), [name = std::move(name)](Connection& connection) {
    return store::read_locks(connection, name);
  });
}
void PostgresStore::read_inbox(std::size_t limit, engine::Answer<std::vector<engine::InboxEntry>> answer) {
  impl_->read<std::vector<engine::InboxEntry>>(
      std::move(answer), [limit](Connection& connection) { return store::read_inbox(connection, limit); });
}

void PostgresStore::list_runs(engine::RunFilter filter, engine::Answer<base::json::array> answer) {
  impl_->look_back<base::json::array>(std::move(answer), [filter = std::move(filter)](Connection& connection) {
    return store::list_runs(connection, filter);
  });
}
void PostgresStore::show_run(model::RunId run, engine::Answer<base::json::object> answer) {
  impl_->look_back<base::json::object>(std::move(answer),
                                       [run](Connection& connection) { return store::show_run(connection, run); });
}
void PostgresStore::list_steps(model::RunId run, std::size_t offset, std::size_t limit, bool with_output,
                               engine::Answer<base::json::object> answer) {
  impl_->look_back<base::json::object>(std::move(answer), [run, offset, limit, with_output](Connection& connection) {
    return store::list_steps(connection, run, offset, limit, with_output);
  });
}
void PostgresStore::read_logs(model::RunId run, std::int64_t after, std::size_t limit,
                              engine::Answer<base::json::array> answer) {
  impl_->look_back<base::json::array>(std::move(answer), [run, after, limit](Connection& connection) {
    return store::read_logs(connection, run, after, limit);
  });
}
void PostgresStore::read_result(model::RunId run, engine::Answer<base::json::object> answer) {
  impl_->look_back<base::json::object>(std::move(answer),
                                       [run](Connection& connection) { return store::read_result(connection, run); });
}
void PostgresStore::list_fires(std::string schedule, std::size_t limit, engine::Answer<base::json::array> answer) {
  impl_->look_back<base::json::array>(std::move(answer),
                                      [schedule = std::move(schedule), limit](Connection& connection) {
                                        return store::list_fires(connection, schedule, limit);
                                      });
}
void PostgresStore::list_artifacts(std::optional<model::RunId> run, std::size_t limit,
                                   engine::Answer<base::json::array> answer) {
  impl_->look_back<base::json::array>(std::move(answer), [run, limit](Connection& connection) {
    return store::list_artifacts(connection, run, limit);
  });
}
void PostgresStore::read_artifact(std::string sha256, std::uint64_t offset, std::size_t size,
                                  engine::Answer<base::json::object> answer) {
  impl_->look_back<base::json::object>(
      std::move(answer), [sha256 = std::move(sha256), offset, size](Connection& connection) {
        return store::read_artifact(connection, sha256, offset, size);
      });
}
void PostgresStore::unknown_files(std::vector<std::string> sha256, engine::Answer<std::vector<std::string>> answer) {
  impl_->look_back<std::vector<std::string>>(std::move(answer),
                                             [sha256 = std::move(sha256)](Connection& connection) {
                                               return store::unknown_files(connection, sha256);
                                             });
}
void PostgresStore::list_nodes(engine::Answer<base::json::array> answer) {
  impl_->look_back<base::json::array>(std::move(answer),
                                      [](Connection& connection) { return store::list_nodes(connection); });
}
void PostgresStore::list_audit(std::size_t limit, engine::Answer<base::json::array> answer) {
  impl_->look_back<base::json::array>(std::move(answer),
                                      [limit](Connection& connection) { return store::list_audit(connection, limit); });
}

}  // namespace godwit::store
