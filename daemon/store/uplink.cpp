#include "store/uplink.hpp"

#include <algorithm>

#include "store/trouble.hpp"

namespace godwit::store {
namespace {

constexpr auto kFirstPause = std::chrono::milliseconds(50);
constexpr auto kLongestPause = std::chrono::milliseconds(500);

}  // namespace

Uplink::Uplink(const Site& site, std::string purpose, std::string settings)
    : site_(site), purpose_(std::move(purpose)), settings_(std::move(settings)), random_(std::random_device{}()) {}

Connection& Uplink::get() {
  while (!connection_) {
    if (site_.stop.raised()) throw Stopped{};
    try {
      connect();
    } catch (const std::exception& error) {
      connection_.reset();
      if (failed_) failed_(describe(error));
      back_off();
    }
  }
  return *connection_;
}

void Uplink::connect() {
  connection_ = std::make_unique<Connection>(site_.url, purpose_, site_.watchdog, site_.call_limit);
  if (lost_backend_ != 0) end_session(lost_backend_);
  lost_backend_ = 0;
  if (!settings_.empty()) connection_->exec(settings_);
}

void Uplink::end_session(int backend) {
  get().query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND usename = current_user AND "
      "application_name IN (current_setting('application_name'), 'godwit express')",
      backend);
}

void Uplink::drop() {
  if (connection_) lost_backend_ = connection_->backend();
  connection_.reset();
}

void Uplink::back_off() {
  const auto longest = std::min<base::Duration>(kFirstPause * (1 << std::min(failures_, 6)), kLongestPause);
  ++failures_;
  site_.stop.pause(
      base::Duration(std::uniform_int_distribution<std::int64_t>(longest.count() / 2, longest.count())(random_)));
}

}  // namespace godwit::store
