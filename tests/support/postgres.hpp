#pragma once
#include <sys/eventfd.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/unique_fd.hpp"
#include "engine/answer.hpp"
#include "engine/clock.hpp"
#include "store/private_cluster.hpp"
#include "store/socket_watch.hpp"
#include "support/temp_dir.hpp"

namespace godwit::support {

// A throw-away PostgreSQL, made at its first use and shared by all tests of the program; each test takes a database of
// its own.
class Postgres {
 public:
  static Postgres& shared();
  // One that waits for the disk at each commit is for measuring; tests kill processes, not machines.
  explicit Postgres(bool waits_for_disk);

  // Makes a database with godwit's tables, or one without, and gives its URL.
  std::string make_database();
  std::string make_empty_database();
  ~Postgres();
  // Starts it again in the namespaces of this thread, so that it is reached by TCP at these addresses from this range.
  void listen(const std::string& addresses, const std::string& range);
  // Where a proxy finds the server.
  std::string socket_path() const;
  // What the server writes down.
  std::string log_path() const;
  store::PrivateCluster& cluster() { return cluster_; }

 private:
  void connect_when_ready(const std::string& statement);
  std::string copy_database(const std::string& model);

  TempDir folder_;
  store::PrivateCluster cluster_;
  std::optional<process::Child> server_;  // that listens
  int databases_ = 0;
  bool has_model_ = false;  // a database with godwit's tables, which others are copies of
};

// An engine's thread for tests: work is posted from anywhere and done in wait().
class Loop : public engine::Clock, public store::SocketWatch {
 public:
  base::Instant now() const override { return base::now(); }
  base::Tick tick() const override { return base::tick(); }
  std::uint64_t at(base::Tick when, std::function<void()> work) override;
  void cancel(std::uint64_t timer) override;
  void post(std::function<void()> work) override;
  void watch(int fd, std::function<void()> readable) override { sockets_[fd] = std::move(readable); }
  void forget(int fd) override { sockets_.erase(fd); }

  // Does what is posted until `done` says so; false when that takes longer than `limit`.
  bool wait(const std::function<bool()>& done, base::Duration limit = std::chrono::minutes(2));
  std::size_t posts() const;

  // Calls `ask(answer)` and waits for the answer; throws the error it brings.
  template <typename T>
  T get(const std::function<void(engine::Answer<T>)>& ask) {
    auto result = std::make_shared<std::optional<engine::Result<T>>>();
    ask([result](engine::Result<T> given) { *result = std::move(given); });
    if (!wait([&] { return result->has_value(); })) throw std::runtime_error("no answer came");
    if (!**result) throw base::Error((*result)->error());
    return std::move(***result);
  }

 private:
  mutable std::mutex mutex_;
  void serve_sockets();

  base::UniqueFd wake_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::map<int, std::function<void()>> sockets_;
  std::deque<std::function<void()>> posted_;
  std::map<std::pair<base::Tick, std::uint64_t>, std::function<void()>> timers_;
  std::uint64_t last_timer_ = 0;
  std::size_t posts_ = 0;
};

}  // namespace godwit::support
