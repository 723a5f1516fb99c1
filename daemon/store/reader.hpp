#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "base/error.hpp"
#include "engine/clock.hpp"
#include "store/uplink.hpp"

namespace godwit::store {

// A thread with a connection that answers queries one after the other. A query that was cut off is asked again.
class Reader {
 public:
  // `settings` are statements that each of its sessions begins with.
  Reader(engine::Clock& clock, const Site& site, std::string purpose, std::string settings = {});
  ~Reader();

  // A query: may be called more than once, throws what libpqxx or base::Error throw, and gives the work to post to the
  // engine. `failed` makes that work from an error which asking again would not cure.
  struct Query {
    std::function<std::function<void()>(Connection&)> ask;
    std::function<std::function<void()>(base::Error)> failed;
  };
  void add(Query query);

  // Nothing is asked before start(); queries wait. The StopSignal ends the thread, and what waits then fails with
  // Error(unavailable).
  void start();
  void join();

 private:
  void run();
  void answer(Query& query);
  std::optional<Query> take();

  engine::Clock& clock_;
  const Site& site_;
  Uplink uplink_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Query> queue_;
  bool stopped_ = false;
  std::string name_;
  std::thread thread_;
};

}  // namespace godwit::store
