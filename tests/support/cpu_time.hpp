#pragma once
#include <ctime>

#include "base/time.hpp"

namespace godwit::support {

// The processor time that this thread has used. What a computation costs is held against bounds in it: on a machine
// that does other things beside, the clock on the wall says nothing of that.
inline base::Duration cpu_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::duration_cast<base::Duration>(std::chrono::seconds(now.tv_sec) +
                                                    std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace godwit::support
