#include "app/supervisor_link.hpp"

#include <systemd/sd-daemon.h>

#include <cstdlib>

namespace godwit::app {

SupervisorLink::SupervisorLink() {
  std::uint64_t interval = 0;
  if (sd_watchdog_enabled(1, &interval) > 0) watchdog_ = base::Duration(static_cast<std::int64_t>(interval / 2));
  if (const char* socket = std::getenv("NOTIFY_SOCKET")) socket_ = socket;
  ::unsetenv("NOTIFY_SOCKET");
}

// sd_notify() finds its way by the environment, so the variable is there for the length of the call. Only the main
// thread reads or changes the environment once the daemon runs.
void SupervisorLink::say(const std::string& text) const {
  if (socket_.empty()) return;
  ::setenv("NOTIFY_SOCKET", socket_.c_str(), 1);
  sd_notify(1, text.c_str());
}

void SupervisorLink::ready(const std::string& status) {
  say("READY=1\nSTATUS=" + status);
}
void SupervisorLink::reloading() {
  say("RELOADING=1");
}
void SupervisorLink::stopping(const std::string& status) {
  say("STOPPING=1\nSTATUS=" + status);
}
void SupervisorLink::extend(base::Duration by) {
  say("EXTEND_TIMEOUT_USEC=" + std::to_string(by.count()));
}
void SupervisorLink::alive() {
  say("WATCHDOG=1");
}

}  // namespace godwit::app
