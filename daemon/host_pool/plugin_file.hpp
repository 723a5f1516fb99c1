#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/unique_fd.hpp"

struct stat;

namespace godwit::host_pool {

// The file of a plugin as it was when its manifest was read. It stays open, so that this version can be started again
// after another file has taken its name.
class PluginFile {
 public:
  // Nothing.
  PluginFile() = default;
  // Throws base::Error when it cannot be read.
  explicit PluginFile(std::string path);

  const std::string& path() const { return path_; }
  // In lower-case hexadecimal.
  const std::string& sha256() const { return sha256_; }
  int fd() const { return fd_.get(); }
  // Whether what has the path now is this very file, unchanged.
  bool in_place() const;
  // Whether this very file still has the bytes that were read, at its path or without one.
  bool unchanged() const;

 private:
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified_ns = 0;
    bool operator==(const Identity&) const = default;
  };
  static Identity identity(const struct stat& status);

  std::string path_;
  base::UniqueFd fd_;
  Identity identity_;
  std::string sha256_;
};

}  // namespace godwit::host_pool
