#pragma once
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include "base/time.hpp"

namespace godwit::store {

// Cuts connections that do not answer: a frozen server keeps its sockets open, no timeout of its own fires then, and a
// blocking call of libpq would wait for ever.
class Watchdog {
 public:
  Watchdog();
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // While it lives, `fd` is shut down once `limit` has passed.
  class Guard {
   public:
    Guard(Watchdog& watchdog, int fd, base::Duration limit);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    bool fired() const;

   private:
    Watchdog& watchdog_;
    std::list<struct Watched>::iterator entry_;
  };

  // Cuts every connection that is in a call, now or later, so that the store can stop at once.
  void cut_all();

 private:
  void run();

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::list<struct Watched> watched_;
  bool idle_ = true;
  bool cutting_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

struct Watched {
  int fd;
  base::Tick deadline;
  bool fired;
};

}  // namespace godwit::store
