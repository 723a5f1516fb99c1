#include "support/postgres.hpp"

#include <thread>

#include "store/connection.hpp"

namespace godwit::support {

Postgres& Postgres::shared() {
  static Postgres postgres(false);
  return postgres;
}

Postgres::Postgres(bool waits_for_disk) : cluster_(folder_.path(), "") {
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
      if (attempt == 500) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

std::string Postgres::make_database() {
  const std::string name = "test" + std::to_string(++databases_);
  connect_when_ready("CREATE DATABASE " + name);
  return cluster_.url(name);
}

std::string Postgres::socket_path() const {
  return folder_ / "postgres/socket/.s.PGSQL.5432";
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
  wake_.notify_one();
}

std::size_t Loop::posts() const {
  const std::lock_guard lock(mutex_);
  return posts_;
}

bool Loop::wait(const std::function<bool()>& done, base::Duration limit) {
  const auto deadline = base::tick() + limit;
  while (!done()) {
    std::unique_lock lock(mutex_);
    // What is waited for may come from elsewhere than a post.
    auto due = std::min<base::Tick>(deadline, base::tick() + std::chrono::milliseconds(5));
    if (!timers_.empty()) due = std::min(due, timers_.begin()->first.first);
    if (posted_.empty()) wake_.wait_until(lock, due, [this] { return !posted_.empty(); });
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
