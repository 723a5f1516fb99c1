#include "host_pool/plugin_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/digest.hpp"
#include "base/error.hpp"

namespace godwit::host_pool {
namespace {

constexpr std::size_t kChunk = 1u << 20;

base::Error unreadable(const std::string& path, const std::string& why) {
  return base::Error(base::ErrorKind::failed, "cannot be read: " + why, {path, 0, 0, {}});
}

std::string contents(int fd, const std::string& path) {
  std::string bytes;
  while (true) {
    const std::size_t size = bytes.size();
    bytes.resize(size + kChunk);
    const ssize_t got = ::pread(fd, bytes.data() + size, kChunk, static_cast<off_t>(size));
    if (got < 0 && errno != EINTR) throw unreadable(path, std::strerror(errno));
    bytes.resize(size + static_cast<std::size_t>(got < 0 ? 0 : got));
    if (got == 0) return bytes;
  }
}

}  // namespace

PluginFile::PluginFile(std::string path) : path_(std::move(path)), fd_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
  struct stat status {};
  if (!fd_ || ::fstat(fd_.get(), &status) != 0) throw unreadable(path_, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) throw unreadable(path_, "it is no regular file");
  identity_ = identity(status);
  sha256_ = base::sha256_hex(contents(fd_.get(), path_));
  if (!unchanged()) throw unreadable(path_, "it is being written");
}

PluginFile::Identity PluginFile::identity(const struct stat& status) {
  return {status.st_dev, status.st_ino, status.st_size,
          status.st_mtim.tv_sec * std::int64_t{1'000'000'000} + status.st_mtim.tv_nsec};
}

bool PluginFile::in_place() const {
  struct stat status {};
  return ::stat(path_.c_str(), &status) == 0 && identity(status) == identity_;
}

bool PluginFile::unchanged() const {
  struct stat status {};
  return ::fstat(fd_.get(), &status) == 0 && identity(status) == identity_;
}

}  // namespace godwit::host_pool
