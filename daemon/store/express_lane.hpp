#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "store/async_session.hpp"
#include "store/node_seat.hpp"
#include "store/socket_watch.hpp"
#include "store/tables.hpp"

namespace godwit::store {

// Commits batches from the engine's own thread, which saves a lone step two changes of threads. It knows the good case
// only: whatever goes wrong is told as "perhaps", and the journal's thread settles it. Engine thread only.
class ExpressLane {
 public:
  ExpressLane(SocketWatch& watch, Watchdog& watchdog, base::Duration call_limit)
      : watch_(watch), watchdog_(watchdog), call_limit_(call_limit) {}
  ~ExpressLane() { close(); }
  ExpressLane(const ExpressLane&) = delete;
  ExpressLane& operator=(const ExpressLane&) = delete;

  bool open() const { return session_ != nullptr; }
  // A session that another thread has made, which may wait.
  void adopt(std::unique_ptr<AsyncSession> session);
  // The form in which it writes such rows.
  StatementForm form_for(const StatementForm& form) const;
  // Executes the statement of the journal, one at a time. `done(true)` comes once it is committed; `done(false)` when
  // it was not, or nobody can say. Never from inside this call. `columns` must stay as they are until then.
  void send(const StatementForm& form, const NodeSeat& seat, const std::vector<std::string_view>& columns,
            std::function<void(bool committed)> done);
  // Ends the session; what was under way is not answered any more.
  void close();
  // The server's process of the session that was closed last, which may still be at work; 0 when there was none.
  int closed_backend() const { return closed_backend_; }

 private:
  void on_readable();

  SocketWatch& watch_;
  Watchdog& watchdog_;
  base::Duration call_limit_;
  std::unique_ptr<AsyncSession> session_;
  std::optional<Watchdog::Guard> guard_;
  std::function<void(bool)> done_;
  int closed_backend_ = 0;
};

}  // namespace godwit::store
