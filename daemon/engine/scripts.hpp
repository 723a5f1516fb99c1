#pragma once
#include <memory>
#include <string>
#include <vector>

#include "model/script_run.hpp"

namespace godwit::engine {

// What a machine says. All calls come on the engine's thread, never from inside a call to Scripts.
class ScriptListener {
 public:
  virtual ~ScriptListener() = default;
  virtual void output(model::script::Output output) = 0;
  // The machine is gone with the process it was in; `guilty` when it was the cause, as `why` tells. Nothing more comes.
  virtual void lost(model::Failure why, bool guilty) = 0;
};

// What a machine is made of: one run of one version of a script, with what is recorded of it.
struct ScriptStart {
  model::script::Budget budget;
  std::shared_ptr<const std::string> bundle;  // model::ScriptBundle as text
  model::script::RunFacts facts;
  std::vector<model::script::RecordedStep> recorded;  // in the order of recording
};

// Runs scripts outside of the daemon. Used on the engine's thread only.
class Scripts {
 public:
  virtual ~Scripts() = default;
  // Makes a machine; `listener` must live until drop(), lost() or an output with an end. The number is never 0.
  virtual std::uint64_t start(ScriptStart start, ScriptListener& listener) = 0;
  // How a request of it ended.
  virtual void answer(std::uint64_t machine, std::uint64_t request, model::script::Outcome outcome) = 0;
  // It is not needed any more; nothing more is heard of it.
  virtual void drop(std::uint64_t machine) = 0;
};

}  // namespace godwit::engine
