// Says when its first line ran, by the clock that all processes of a machine share: the other end of a measured start.
#include <time.h>
#include <godwit/sdk.hpp>

namespace json = godwit::json;

class Stamp {
 public:
  explicit Stamp(const json::object&) {}

  json::value run(godwit::Call&, const json::object&) {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return {{"monotonic_ns", static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec}};
  }
};
GODWIT_STAGE(Stamp, "stamp")
GODWIT_PLUGIN(&gw_unit_Stamp)
