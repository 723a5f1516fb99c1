#pragma once
#include <map>
#include <memory>

#include "engine/clock.hpp"
#include "engine/scripts.hpp"
#include "jobfile/script_reader.hpp"
#include "script/execution.hpp"

namespace godwit::lab {

// Runs scripts in this process: a test's own script needs no fence around it, and so takes no time.
class LocalScripts : public engine::Scripts {
 public:
  explicit LocalScripts(engine::Clock& clock) : clock_(clock) {}

  std::uint64_t start(engine::ScriptStart start, engine::ScriptListener& listener) override;
  void answer(std::uint64_t machine, std::uint64_t request, model::script::Outcome outcome) override;
  void drop(std::uint64_t machine) override { machines_.erase(machine); }

 private:
  struct Machine {
    engine::ScriptListener* listener = nullptr;
    std::unique_ptr<script::Execution> execution;
  };
  void begin(Machine& machine, engine::ScriptStart start);
  void deliver(std::uint64_t number, model::script::Output output);

  engine::Clock& clock_;
  std::map<std::uint64_t, Machine> machines_;
  std::uint64_t last_ = 0;
};

// Reads what scripts say of themselves.
class LocalScriptReader : public jobfile::ScriptReader {
 public:
  base::json::object read(const model::ScriptBundle& bundle) override;
};

}  // namespace godwit::lab
