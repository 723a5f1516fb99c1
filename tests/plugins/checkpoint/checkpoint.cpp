// A long step: counts to args.to, keeps its index after each item, and writes every index it does into a file, so that
// a test sees where it went on.
#include <fcntl.h>
#include <unistd.h>

#include <godwit/sdk.hpp>

namespace json = godwit::json;

class CountTo {
 public:
  explicit CountTo(const json::object& config)
      : log_(config.contains("log") ? std::string(config.at("log").as_string()) : std::string()) {}

  json::value run(godwit::Call& call, const json::object& input) {
    const auto to = input.at("to").to_number<std::int64_t>();
    const std::int64_t delay_ms = input.contains("delay_ms") ? input.at("delay_ms").to_number<std::int64_t>() : 0;
    const auto kept = call.checkpoint_get("index");
    const std::int64_t first = kept ? kept->at("done").to_number<std::int64_t>() : 0;
    std::int64_t sum = kept ? kept->at("sum").to_number<std::int64_t>() : 0;
    for (std::int64_t index = first; index < to; ++index) {
      call.check_cancel();
      write_down(index);
      sum += index;
      call.sleep_for(std::chrono::milliseconds(delay_ms));
      call.checkpoint_put("index", {{"done", index + 1}, {"sum", sum}});
      call.progress(static_cast<std::uint64_t>(index + 1), static_cast<std::uint64_t>(to), {{"sum", sum}});
    }
    return {{"sum", sum}, {"started_at", first}, {"attempt", call.attempt()}};
  }

 private:
  void write_down(std::int64_t index) const {
    if (log_.empty()) return;
    const int fd = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    const std::string line = std::to_string(index) + "\n";
    const bool written = fd >= 0 && ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
    if (fd >= 0) ::close(fd);
    if (!written) godwit::fail("log", "the log of indices cannot be written");
  }

  std::string log_;
};
GODWIT_STAGE(CountTo, "count_to")
GODWIT_PLUGIN(&gw_unit_CountTo)
