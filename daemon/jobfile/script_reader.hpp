#pragma once
#include "model/script_bundle.hpp"

namespace godwit::jobfile {

// Learns what a script says of itself, outside of the daemon: reading a script runs it.
class ScriptReader {
 public:
  virtual ~ScriptReader() = default;
  // The header. Throws Error(refused) with file and line.
  virtual base::json::object read(const model::ScriptBundle& bundle) = 0;
};

}  // namespace godwit::jobfile
