#pragma once
#include <sys/types.h>

#include <string>

#include "base/unique_fd.hpp"

namespace godwit::base {

// A file that one process at a time has locked, until it lets go or ends; its number stands in the file for who comes
// second.
class LockFile {
 public:
  LockFile() = default;
  // Throws Error(failed) when the file cannot be had; that another process has it is told by held().
  explicit LockFile(const std::string& path);

  bool held() const { return fd_ && holder_ == 0; }
  // "pid 17", or "another process" where it does not say: who has it instead.
  std::string holder() const;

 private:
  UniqueFd fd_;
  pid_t holder_ = 0;  // negative: somebody who has not written a number
};

}  // namespace godwit::base
