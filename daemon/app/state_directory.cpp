#include "app/state_directory.hpp"

#include <filesystem>

#include "base/error.hpp"

namespace godwit::app {

StateDirectory::StateDirectory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error)
    throw base::Error(base::ErrorKind::failed, "the state directory cannot be made: " + error.message(),
                      {path, 0, 0, {}});
  lock_ = base::LockFile(path + "/godwitd.lock");
  if (lock_.held()) return;
  throw base::Error(base::ErrorKind::failed, lock_.holder() + " uses this state directory", {path, 0, 0, {}},
                    "stop that godwitd and wait for its end (`godwit status` says what it waits for), or give this one a "
                    "folder of its own with --state-dir");
}

}  // namespace godwit::app
