#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "engine/scripts.hpp"

namespace godwit::engine {

// Lets a script go through what is recorded of a run, up to where it would go on, and nothing else: no step is done,
// nothing is stored. The engine's thread; keeps itself alive until it has reported.
class ScriptRehearsal : private ScriptListener, public std::enable_shared_from_this<ScriptRehearsal> {
 public:
  struct Report {
    std::vector<std::string> next;  // paths of what it would ask for
    std::string problem;            // why it would not go on; empty when it would
    base::json::object recorded;    // both sides, when what is recorded does not fit
    base::json::object requested;
  };
  static void begin(Scripts& scripts, ScriptStart start, std::function<void(Report)> done);

 private:
  explicit ScriptRehearsal(Scripts& scripts, std::function<void(Report)> done)
      : scripts_(scripts), done_(std::move(done)) {}
  void output(model::script::Output output) override;
  void lost(model::Failure why, bool guilty) override;
  void finish();

  Scripts& scripts_;
  std::function<void(Report)> done_;
  Report report_;
  std::uint64_t machine_ = 0;
  bool ended_ = false;  // the machine is gone by itself
  std::shared_ptr<ScriptRehearsal> self_;
};

}  // namespace godwit::engine
