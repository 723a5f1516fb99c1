#pragma once
#include <cstddef>

#include "base/time.hpp"

namespace godwit::control {

// What one client may cost the daemon. A client that passes a bound loses its connection or has to wait; others never
// notice.
struct SessionLimits {
  std::size_t requests_in_flight_max = 256;  // more are left unread in the socket until answers have gone out
  std::size_t subscriptions_max = 256;
  std::size_t queue_pause = 1u << 20;  // unread answers at which no further request is read
  std::size_t queue_max = 16u << 20;   // unread answers and events at which the client is disconnected
  base::Duration line_deadline = std::chrono::seconds(10);   // from the first byte of a request to its line feed
  base::Duration stuck_deadline = std::chrono::seconds(30);  // without a byte taken while there is something to take
  int garbage_max = 3;  // lines that are no requests; the connection ends with the last of them
};

}  // namespace godwit::control
