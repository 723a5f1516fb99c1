#include "host_pool/output_pipe.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/utf8.hpp"

namespace godwit::host_pool {

bool LogBudget::take(std::size_t size) {
  const base::Tick now = base::tick();
  tokens_ = std::min(kBytesPerSecond, tokens_ + std::chrono::duration<double>(now - last_).count() * kBytesPerSecond);
  last_ = now;
  if (tokens_ < static_cast<double>(size)) {
    ++dropped_;
    return false;
  }
  tokens_ -= static_cast<double>(size);
  return true;
}

bool OutputPipe::read(int fd, const std::function<void(std::string_view)>& on_line) {
  char bytes[16 * 1024];
  for (int round = 0; round < 16; ++round) {
    const ssize_t got = ::read(fd, bytes, sizeof bytes);
    if (got > 0) {
      take({bytes, static_cast<std::size_t>(got)}, on_line);
      if (static_cast<std::size_t>(got) < sizeof bytes) return true;
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else {
      return got < 0 && errno == EAGAIN;
    }
  }
  return true;
}

void OutputPipe::take(std::string_view bytes, const std::function<void(std::string_view)>& on_line) {
  tail_ += bytes;
  if (tail_.size() > 2 * kTailSizeMax) tail_.erase(0, tail_.size() - kTailSizeMax);
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::size_t size = std::min({end, bytes.size(), kLineSizeMax - line_.size()});
    line_ += bytes.substr(0, size);
    bytes.remove_prefix(size);
    const bool ended = !bytes.empty() && bytes.front() == '\n';
    if (ended) bytes.remove_prefix(1);
    if (ended || line_.size() >= kLineSizeMax) {
      on_line(line_);
      line_.clear();
    }
  }
}

void OutputPipe::flush(const std::function<void(std::string_view)>& on_line) {
  if (line_.empty()) return;
  on_line(line_);
  line_.clear();
}

std::string OutputPipe::last_lines(std::size_t size) const {
  std::string_view tail = tail_;
  if (tail.size() > size) {
    tail.remove_prefix(tail.size() - size);
    const std::size_t line = tail.find('\n');
    if (line != std::string_view::npos && line + 1 < tail.size()) tail.remove_prefix(line + 1);
  }
  while (!tail.empty() && (tail.back() == '\n' || tail.back() == '\r')) tail.remove_suffix(1);
  return base::repaired_utf8(tail);
}

}  // namespace godwit::host_pool
