#pragma once
#include <optional>
#include <string>

#include "base/time.hpp"

namespace godwit::app {

// What godwitd says to systemd, if it was started by it; one in the life of the process. The variables that name the way
// there are taken out of the environment, so that no child can speak in the daemon's name.
class SupervisorLink {
 public:
  SupervisorLink();

  void ready(const std::string& status);
  void reloading();
  void stopping(const std::string& status);
  // Asks for more time before the stop is made by force.
  void extend(base::Duration by);
  void alive();
  // How often alive() is wanted, when systemd watches.
  std::optional<base::Duration> watchdog_interval() const { return watchdog_; }

 private:
  void say(const std::string& text) const;

  std::string socket_;
  std::optional<base::Duration> watchdog_;
};

}  // namespace godwit::app
