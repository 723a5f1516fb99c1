#pragma once
#include <string>

#include "base/lock_file.hpp"

namespace godwit::app {

// The folder in which everything of one daemon lies, its database too. Whoever has this object is alone there: from
// before the database is started, or taken over, until after it is stopped.
class StateDirectory {
 public:
  // Makes the folder where it is missing. Throws Error(failed) when another daemon uses it, however far its end has come.
  explicit StateDirectory(const std::string& path);

 private:
  base::LockFile lock_;
};

}  // namespace godwit::app
