#include <algorithm>
#include <charconv>
#include <thread>

#include "args.hpp"

namespace core {

// How long the byte sequence at the beginning of `bytes` is; 0 when it is no UTF-8.
static std::size_t character_size(std::string_view bytes) {
  const auto at = [bytes](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u; };
  const auto tail = [&at](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i <= to; ++i)
      if ((at(i) & 0xC0) != 0x80) return false;
    return true;
  };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return tail(1, 1) ? 2 : 0;
  if (first < 0xF0) return tail(1, 2) && !(first == 0xE0 && at(1) < 0xA0) && !(first == 0xED && at(1) > 0x9F) ? 3 : 0;
  if (first < 0xF5) return tail(1, 3) && !(first == 0xF0 && at(1) < 0x90) && !(first == 0xF4 && at(1) > 0x8F) ? 4 : 0;
  return 0;
}

std::string as_utf8(std::string_view bytes) {
  std::string result;
  result.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t size = character_size(bytes);
    result += size > 0 ? bytes.substr(0, size) : std::string_view("\xEF\xBF\xBD");
    bytes.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return result;
}

namespace {

constexpr double kSecondsMax = 366.0 * 86400;

// "1m30s" in seconds.
double parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  static constexpr Unit units[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
  if (text.empty()) refuse("duration", "is empty");
  double total = 0;
  while (!text.empty()) {
    double count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count, std::chars_format::fixed);
    if (error != std::errc() || count < 0) refuse("duration", "must be like 1m30s");
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const auto name = text.substr(0, std::min(text.find_first_of("0123456789."), text.size()));
    const auto unit =
        std::find_if(std::begin(units), std::end(units), [name](const Unit& known) { return known.name == name; });
    if (unit == std::end(units)) refuse("duration", "must have the units ms, s, m, h or d");
    total += count * unit->seconds;
    text.remove_prefix(name.size());
  }
  if (total > kSecondsMax) refuse("duration", "is longer than a year");
  return total;
}

}  // namespace

class Sleep {
 public:
  explicit Sleep(const json::object&) {}

  json::value run(godwit::Call& call, const json::object& args) {
    if (args.contains("seconds") == args.contains("duration")) refuse("sleep", "needs either seconds or duration");
    const double seconds =
        args.contains("seconds") ? number(args, "seconds", 0, kSecondsMax, 0) : parse_duration(text(args, "duration"));
    const auto end = std::chrono::steady_clock::now() +
                     std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
    // The host's cancellation is a flag to look at, so the sleep is cut into pieces short enough for a person not to
    // notice.
    constexpr auto piece = std::chrono::nanoseconds(std::chrono::milliseconds(20));
    for (auto now = std::chrono::steady_clock::now(); now < end; now = std::chrono::steady_clock::now()) {
      call.check_cancel();
      std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(end - now, piece));
    }
    return nullptr;
  }
};
GODWIT_STAGE(Sleep, "sleep")

class Fail {
 public:
  explicit Fail(const json::object&) {}

  json::value run(godwit::Call&, const json::object& args) {
    const std::string code = text(args, "code", "failed");
    const std::string message = text(args, "message", "the job asked for a failure");
    if (flag(args, "retryable", false)) godwit::retry(code, message);
    godwit::fail(code, message);
  }
};
GODWIT_STAGE(Fail, "fail")

GODWIT_UNIT(Shell)
GODWIT_UNIT(Http)
GODWIT_UNIT(ArtifactPut)
GODWIT_UNIT(ArtifactGet)
GODWIT_PLUGIN(&gw_unit_Shell, &gw_unit_Http, &gw_unit_ArtifactPut, &gw_unit_ArtifactGet, &gw_unit_Sleep, &gw_unit_Fail)

}  // namespace core
