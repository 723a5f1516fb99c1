#include "store/express_lane.hpp"

#include <sys/socket.h>

namespace godwit::store {

void ExpressLane::adopt(std::unique_ptr<AsyncSession> session) {
  close();
  session_ = std::move(session);
  watch_.watch(session_->socket(), [this] { on_readable(); });
}

StatementForm ExpressLane::form_for(const StatementForm& form) const {
  return session_->knows(form.name()) ? form : bounded(form, session_->statements());
}

void ExpressLane::send(const StatementForm& form, const NodeSeat& seat, const std::vector<std::string_view>& columns,
                       std::function<void(bool)> done) {
  done_ = std::move(done);
  guard_.emplace(watchdog_, session_->socket(), call_limit_);
  const auto name = form.name();
  const bool sent = session_->send(name, session_->knows(name) ? std::string() : journal_statement(form),
                                   {std::to_string(seat.node), std::to_string(seat.epoch)}, columns);
  // A socket that is shut down becomes readable, so the failure is told from the loop like any other.
  if (!sent) shutdown(session_->socket(), SHUT_RDWR);
}

void ExpressLane::on_readable() {
  const auto progress = session_->receive();
  if (progress == AsyncSession::Progress::waiting) return;
  const auto done = std::exchange(done_, nullptr);
  const bool committed = progress == AsyncSession::Progress::done && session_->value() == 1;
  guard_.reset();
  if (progress == AsyncSession::Progress::failed) close();
  // Without a statement under way it was a notice of the server.
  if (done) done(committed);
}

void ExpressLane::close() {
  guard_.reset();
  done_ = nullptr;
  if (!session_) return;
  closed_backend_ = session_->backend();
  watch_.forget(session_->socket());
  session_.reset();
}

}  // namespace godwit::store
