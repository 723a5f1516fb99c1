#include "support/postgres.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <thread>
#include <vector>

#include "store/connection.hpp"
#include "store/migrator.hpp"
#include "support/cluster_template.hpp"

namespace godwit::support {

Postgres& Postgres::shared() {
  static Postgres postgres(false);
  return postgres;
}

Postgres::Postgres(bool waits_for_disk) : cluster_(folder_.path(), "") {
  lay_cluster(folder_.path());
  cluster_.start();
  if (waits_for_disk) return;
  connect_when_ready("ALTER SYSTEM SET fsync = off");
  connect_when_ready("SELECT pg_reload_conf()");
}

void Postgres::connect_when_ready(const std::string& statement) {
  static store::Watchdog watchdog;
  for (int attempt = 0;; ++attempt) {
    try {
      store::Connection connection(cluster_.url("postgres"), "test", watchdog, std::chrono::seconds(30));
      connection.exec(statement);
      return;
    } catch (const pqxx::broken_connection&) {
      // The server is still starting; there is nothing to wait on but its answer.
      if (attempt == 5000) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

void Postgres::listen(const std::string& addresses, const std::string& range) {
  cluster_.stop();
  store::ClusterFiles files(folder_.path(), {});
  files.make();
  files.write_settings();
  std::ofstream(folder_ / "postgres/pg_hba.conf", std::ios::app) << "host all all " << range << " trust\n";
  const auto log = files.open_log();
  auto options = files.server(log.get());
  options.arguments.insert(options.arguments.end(), {"-c", "listen_addresses=" + addresses});
  server_.emplace(process::spawn(options));
}

Postgres::~Postgres() {
  if (!server_) return;
  server_->signal(SIGINT);
  server_->wait();
}

std::string Postgres::make_database() {
  if (!std::exchange(has_model_, true)) {
    connect_when_ready("CREATE DATABASE model");
    store::Watchdog watchdog;
    store::Connection connection(cluster_.url("model"), "test", watchdog, std::chrono::seconds(30));
    store::migrate(connection, store::migrations());
  }
  return copy_database("model");
}

std::string Postgres::make_empty_database() {
  return copy_database("template1");
}

std::string Postgres::copy_database(const std::string& model) {
  const std::string name = "test" + std::to_string(++databases_);
  connect_when_ready("CREATE DATABASE " + name + " TEMPLATE " + model);
  return cluster_.url(name);
}

std::string Postgres::socket_path() const {
  return folder_ / "postgres/socket/.s.PGSQL.5432";
}

std::string Postgres::log_path() const {
  return folder_ / "postgres.log";
}

std::uint64_t Loop::at(base::Tick when, std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  timers_.emplace(std::pair(when, ++last_timer_), std::move(work));
  return last_timer_;
}

void Loop::cancel(std::uint64_t timer) {
  const std::lock_guard lock(mutex_);
  std::erase_if(timers_, [timer](const auto& entry) { return entry.first.second == timer; });
}

void Loop::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    ++posts_;
    posted_.push_back(std::move(work));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_.get(), &one, sizeof one);
}

std::size_t Loop::posts() const {
  const std::lock_guard lock(mutex_);
  return posts_;
}

// Sleeps until something is posted or a socket has something to read, and for a moment at most: what is waited for may
// come from elsewhere.
void Loop::serve_sockets() {
  std::vector<pollfd> fds{{wake_.get(), POLLIN, 0}};
  for (const auto& [fd, readable] : sockets_) fds.push_back({fd, POLLIN, 0});
  const bool busy = [this] {
    const std::lock_guard lock(mutex_);
    return !posted_.empty() || (!timers_.empty() && timers_.begin()->first.first <= base::tick());
  }();
  poll(fds.data(), fds.size(), busy ? 0 : 2);
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = read(wake_.get(), &count, sizeof count);
  for (std::size_t i = 1; i < fds.size(); ++i)
    if (const auto found = sockets_.find(fds[i].fd); fds[i].revents && found != sockets_.end()) {
      const auto readable = found->second;
      readable();
    }
}

bool Loop::wait(const std::function<bool()>& done, base::Duration limit) {
  const auto deadline = base::tick() + limit;
  while (!done()) {
    serve_sockets();
    std::unique_lock lock(mutex_);
    std::function<void()> work;
    if (!posted_.empty()) {
      work = std::move(posted_.front());
      posted_.pop_front();
    } else if (!timers_.empty() && timers_.begin()->first.first <= base::tick()) {
      work = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
    } else if (base::tick() >= deadline) {
      return false;
    }
    lock.unlock();
    if (work) work();
  }
  return true;
}

}  // namespace godwit::support
