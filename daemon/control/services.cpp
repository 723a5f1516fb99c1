#include "control/services.hpp"

namespace godwit::control {

void require_store(const Services& services) {
  const auto status = services.store.status();
  const auto* state = status.if_contains("state");
  if (!state || !state->is_string() || *state == "up") return;
  std::string what = "the database is " + std::string(state->get_string());
  if (const auto* since = status.if_contains("since"); since && since->is_string())
    what += " since " + std::string(since->get_string());
  if (const auto* error = status.if_contains("error"); error && error->is_string() && !error->get_string().empty()) {
    what += ": " + std::string(error->get_string());
  }
  throw base::Error(base::ErrorKind::unavailable, what, {},
                    "runs wait and go on when it is back; `godwit status` says more");
}

}  // namespace godwit::control
