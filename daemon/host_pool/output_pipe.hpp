#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.hpp"

namespace godwit::host_pool {

// How much text a plugin may log: 4 MiB at once and then 4 MiB in a second; what is over is counted and dropped.
class LogBudget {
 public:
  bool take(std::size_t size);
  // How many lines take() has refused since the last call.
  std::uint64_t dropped() { return std::exchange(dropped_, 0); }

 private:
  static constexpr double kBytesPerSecond = 4.0 * 1024 * 1024;
  double tokens_ = kBytesPerSecond;
  base::Tick last_ = base::tick();
  std::uint64_t dropped_ = 0;
};

// What comes out of a child's stdout or stderr: cut into lines the tail kept.
class OutputPipe {
 public:
  static constexpr std::size_t kTailSizeMax = 64 * 1024;
  static constexpr std::size_t kLineSizeMax = 8 * 1024;

  // Reads what is there in `fd`, which does not block, at most 256 KiB, and gives each line to `on_line`; false at the
  // end of the stream.
  bool read(int fd, const std::function<void(std::string_view)>& on_line);
  // The begun line as a line, when there is one.
  void flush(const std::function<void(std::string_view)>& on_line);
  // The last lines of the tail, at most `size` bytes.
  std::string last_lines(std::size_t size) const;

 private:
  void take(std::string_view bytes, const std::function<void(std::string_view)>& on_line);

  std::string line_;
  std::string tail_;
};

}  // namespace godwit::host_pool
